"""A training run from its settings to the adapter's folder."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import EarlyStoppingCallback

from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.examples import TrainingExample, fingerprint, overlap
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.adapters import (
    check_adapter,
    make_adapter,
    passages_are_frozen,
    save_adapter,
    trainable,
)
from pyserini_qpeft.training.arguments import trainer_arguments
from pyserini_qpeft.training.batches import StepCollator, Teacher
from pyserini_qpeft.training.card import TrainingRecord, model_card
from pyserini_qpeft.training.checkpoints import FINISHED, RunDirectory, last_checkpoint, remove_incomplete
from pyserini_qpeft.training.config import OptimizationConfig, TrainConfig
from pyserini_qpeft.training.dev import DevSet
from pyserini_qpeft.training.pair_scorer import PairScorer
from pyserini_qpeft.training.sampling import TrainingGroups, draw
from pyserini_qpeft.training.trainer import AdapterTrainer

logger = logging.getLogger(__name__)


def train(config: TrainConfig, *, resume: bool = False) -> TrainingRecord | None:
    """Trains an adapter and puts it, with its model card, at `config.output`.

    Runs in every process that `torchrun` starts, and shares the queries of each step out among them.

    Args:
        config: The settings.
        resume: Go on with the unfinished run beside the output, if there is one; the outcome is the same to the last
            bit as without the interruption.

    Returns:
        What came of it; None if `resume` found the run finished already.

    Raises:
        QPeftError: If something given is not as it should be, the output is taken, or training broke down.
    """
    place = RunDirectory(config.output)
    if resume and place.is_finished:
        return None
    place.check(resume=resume)
    check_adapter(config.adapter)
    examples, dev_examples = _read(config)
    arguments = trainer_arguments(config, place.folder, len(examples))
    processes = PartialState()
    base, tokenizer = _base(config, arguments.device)
    # No process may make the folder before all have looked for it.
    processes.wait_for_everyone()
    if processes.is_main_process:
        place.open({**config.settings(), "examples": fingerprint([*examples, *dev_examples])})
        remove_incomplete(place.folder)
    processes.wait_for_everyone()
    scoring = ScoringConfig(
        passage_tokens=config.sampling.passage_tokens, batch_tokens=config.optimization.batch_tokens
    )
    teacher = _teacher(config)
    dev = DevSet(dev_examples, config.sampling, config.loss, teacher, config.seed) if dev_examples else None
    bare = _bare(dev, LikelihoodScorer(base, tokenizer, scoring), place.folder, processes)
    model = make_adapter(base, tokenizer, config.adapter, config.seed)
    if config.optimization.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    if _keeps_passages(config.optimization, model):
        scoring = replace(scoring, passage_cache_bytes=config.optimization.passage_cache_bytes)
    # Passages are read alone, since a resumed run reads them again, and with other passages in the batch.
    scorer = LikelihoodScorer(model, tokenizer, scoring, read_alone=True)
    trainer = AdapterTrainer(
        scorer=scorer,
        dev=dev,
        loss=config.loss,
        optimization=config.optimization,
        model=PairScorer(model, cache=scorer.cache, constant_memory=config.optimization.constant_memory),
        args=arguments,
        train_dataset=TrainingGroups(examples, config.sampling, config.seed),
        eval_dataset=dev,
        data_collator=StepCollator(scorer, config.optimization.batch_tokens, teacher),
        callbacks=_callbacks(config),
    )
    checkpoint = last_checkpoint(place.folder)
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    record = TrainingRecord(
        config=config,
        train_queries=len(examples),
        dev_queries=len(dev_examples),
        bare=bare,
        curve=_curve(trainer.state.log_history),
        best_step=trainer.state.best_global_step or trainer.state.global_step,
        steps=trainer.state.global_step,
        seconds=time.perf_counter() - started,
        trainable=sum(weight.numel() for weight in trainable(model).values()),
    )
    if processes.is_main_process:
        place.finish(_written(model, record, place.folder / "adapter"))
    processes.wait_for_everyone()
    return record


def _read(config: TrainConfig) -> tuple[list[TrainingExample], list[TrainingExample]]:
    examples, _ = read_examples(config.train)
    examples = draw(examples, config.sampling.max_queries, config.seed)
    if not config.dev:
        return examples, []
    dev, _ = read_examples(config.dev)
    dev = draw(dev, config.sampling.dev_queries, seed=0)
    shared = overlap(dev, examples)
    if shared.queries or shared.passages:
        logger.warning(
            "dev overlaps train: %d of %d dev queries, and %d positive passages of dev, are in train too; "
            "dev figures will be too good",
            shared.queries,
            len(dev),
            shared.passages,
        )
    return examples, dev


def _base(config: TrainConfig, device: torch.device) -> tuple[Any, Any]:
    chosen = ModelConfig(
        model=config.model,
        adapter=NO_ADAPTER,
        device=str(device),
        dtype=config.dtype,
        quantize=config.quantize,
        trust_remote_code=config.trust_remote_code,
    )
    base, tokenizer = load_model(chosen)
    return base, tokenizer


def _keeps_passages(wanted: OptimizationConfig, model: Any) -> bool:
    # Under gradient checkpointing transformers' layers take no key-values.
    return bool(wanted.passage_cache_bytes) and not wanted.gradient_checkpointing and passages_are_frozen(model)


def _callbacks(config: TrainConfig) -> list[Any]:
    callbacks: list[Any] = []
    if config.optimization.patience is not None:
        callbacks.append(EarlyStoppingCallback(config.optimization.patience))
    if config.tensorboard is not None:
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations import TensorBoardCallback

        callbacks.append(TensorBoardCallback(SummaryWriter(str(config.tensorboard))))
    return callbacks


def _teacher(config: TrainConfig) -> Teacher | None:
    if config.teacher is None:
        return None
    return {qid: {hit.docid: hit.score for hit in hits} for qid, hits in read_run(config.teacher).items()}


def _bare(dev: DevSet | None, scorer: LikelihoodScorer, folder: Path, processes: PartialState) -> dict[str, float]:
    """Dev figures of the base without an adapter; measured once, and kept for a resumed run."""
    if dev is None:
        return {}
    file = folder / "bare.json"
    if file.is_file():
        figures: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return figures
    measured = {**asdict(dev.measure(scorer)), "first_stage_ndcg": dev.first_stage_ndcg()}
    figures = {name: value for name, value in measured.items() if value is not None}
    if processes.is_main_process:
        file.write_text(json.dumps(figures), encoding="utf-8")
    logger.info("bare model on dev: %s", ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    processes.wait_for_everyone()
    return figures


def _curve(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    names = ("loss", "ndcg", "fused_ndcg")
    return [
        {"step": entry["step"], **{name: entry[f"eval_{name}"] for name in names if f"eval_{name}" in entry}}
        for entry in history
        if "eval_loss" in entry
    ]


def _written(model: Any, record: TrainingRecord, folder: Path) -> Path:
    save_adapter(model, folder)
    if record.config.model is None:
        # The shipped model lies wherever the package was installed.
        for file in folder.rglob("adapter_config.json"):
            settings = json.loads(file.read_text(encoding="utf-8"))
            settings["base_model_name_or_path"] = None
            file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(record), encoding="utf-8")
    (folder / FINISHED).write_text(json.dumps(record.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder
