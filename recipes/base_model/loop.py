"""The training loop of both models: optimizers, schedule, log, and checkpoints to resume from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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
    done = _resume(folder, model, optimizers)
    model.train()
    last_saved = last_time = time.monotonic()
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        while done.step < config.steps:
            for group in _groups(optimizers):
                group["lr"] = group["initial_lr"] * schedule(done.step, config)
            loss, figures = loss_at(done.step)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            done.step += 1
            now = time.monotonic()
            done.seconds, last_time = done.seconds + now - last_time, now
            done.tokens += int(figures.pop("tokens", 0))
            last = done.step == config.steps
            if last or done.step % config.log_every == 0:
                _log(log, done, loss=loss, norm=norm, figures=figures)
            if last or now - last_saved > 60 * config.checkpoint_minutes:
                _save(folder, model, optimizers, done)
                last_saved = now
    return done.seconds


@dataclass
class _Done:
    """The steps that are done, their seconds, and the tokens of their batches."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def _resume(folder: Path, model: LlamaForCausalLM, optimizers: Sequence[Optimizer]) -> _Done:
    """Loads the checkpoint of the folder, if it has one."""
    import torch

    done = _Done()
    if (folder / CHECKPOINT).exists():
        state = torch.load(folder / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)  # its groups have their `initial_lr`
        done = _Done(state["step"], state["seconds"], state["tokens"])
    for group in _groups(optimizers):
        group.setdefault("initial_lr", group["lr"])
    return done


def _save(folder: Path, model: LlamaForCausalLM, optimizers: Sequence[Optimizer], done: _Done) -> None:
    import torch

    state = {"model": model.state_dict(), "optimizers": [one.state_dict() for one in optimizers], **asdict(done)}
    torch.save(state, folder / "checkpoint.new")
    os.replace(folder / "checkpoint.new", folder / CHECKPOINT)


def _log(log: TextIO, done: _Done, *, loss: Tensor, norm: Tensor, figures: dict[str, float]) -> None:
    line: dict[str, Any] = {"step": done.step, "seconds": round(done.seconds, 1), "tokens": done.tokens}
    line |= {"loss": round(loss.item(), 4), "norm": round(norm.item(), 3)}
    line |= {key: round(value, 4) for key, value in figures.items()}
    log.write(json.dumps(line) + "\n")
    log.flush()


def _groups(optimizers: Sequence[Optimizer]) -> Iterator[dict[str, Any]]:
    return (group for optimizer in optimizers for group in optimizer.param_groups)


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
