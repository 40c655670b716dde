"""The training loop of both models: optimizers, schedule, log, and checkpoints to resume from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.base_model.config import OptimizerConfig

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import LlamaForCausalLM

CHECKPOINT = "checkpoint.pt"


def train(
    model: LlamaForCausalLM,
    loss_at: Callable[[int], tuple[Tensor, dict[str, float]]],
    config: OptimizerConfig,
    folder: Path,
) -> float:
    """Runs the remaining steps of `config.steps`.

    Args:
        model: The model in float32; changed in place.
        loss_at: Returns the loss of a step's batch and figures for the log (`tokens` is summed). It depends on the
            step only, so that a resumed run uses the same batches.
        config: Steps, learning rates, intervals of log and checkpoints.
        folder: Folder of `checkpoint.pt` and `log.jsonl`; training resumes from them if they exist.

    Returns:
        Seconds of training, summed over all parts of an interrupted run.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    optimizers = _optimizers(model, config)
    step, seconds, tokens = 0, 0.0, 0
    if (folder / CHECKPOINT).exists():
        state = torch.load(folder / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, seconds, tokens = state["step"], state["seconds"], state["tokens"]
    base_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    if step:
        base_rates = [[group["initial_lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    for optimizer, rates in zip(optimizers, base_rates, strict=True):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["initial_lr"] = rate

    def save() -> None:
        state = {
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "step": step,
            "seconds": seconds,
            "tokens": tokens,
        }
        torch.save(state, folder / "checkpoint.new")
        os.replace(folder / "checkpoint.new", folder / CHECKPOINT)

    model.train()
    last_saved = last_time = time.monotonic()
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        while step < config.steps:
            factor = schedule(step, config)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * factor
            loss, figures = loss_at(step)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            now = time.monotonic()
            seconds, last_time = seconds + now - last_time, now
            tokens += int(figures.pop("tokens", 0))
            if step % config.log_every == 0 or step == config.steps:
                line: dict[str, Any] = {"step": step, "seconds": round(seconds, 1), "tokens": tokens}
                line |= {"loss": round(loss.item(), 4), "norm": round(norm.item(), 3)}
                line |= {key: round(value, 4) for key, value in figures.items()}
                log.write(json.dumps(line) + "\n")
                log.flush()
            if now - last_saved > 60 * config.checkpoint_minutes or step == config.steps:
                save()
                last_saved = now
    return seconds


def schedule(step: int, config: OptimizerConfig) -> float:
    """Returns the factor of the learning rate: linear warm-up, then a cosine down to `config.floor`."""
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, config.steps - warmup)
    return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * done))


def _optimizers(model: LlamaForCausalLM, config: OptimizerConfig) -> list[Optimizer]:
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(
            matrices,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=config.embedding_learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]
