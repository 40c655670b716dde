"""One training run, from its settings to the folder of the adapter."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import EarlyStoppingCallback, TrainingArguments

from pyserini_qpeft.data.examples import TrainingExample, fingerprint
from pyserini_qpeft.data.files import atomic_write
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.models.config import NO_ADAPTER
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.passage_cache import why_not_cached
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
from pyserini_qpeft.training.checkpoints import (
    FINISHED,
    RunDirectory,
    last_checkpoint,
    remove_incomplete,
    saving_errors,
)
from pyserini_qpeft.training.config import OptimizationConfig, TrainConfig
from pyserini_qpeft.training.dev import DevSet
from pyserini_qpeft.training.pair_scorer import PairScorer
from pyserini_qpeft.training.reading import check_negatives, read_training_examples
from pyserini_qpeft.training.sampling import TrainingGroups
from pyserini_qpeft.training.trainer import AdapterTrainer

logger = logging.getLogger(__name__)


def train(config: TrainConfig, *, resume: bool = False) -> TrainingRecord | None:
    """Trains an adapter and writes it, with a model card and a training record, to `config.output`.

    Under `torchrun` every process calls this; the queries of each step are divided between the processes.

    Args:
        config: The settings.
        resume: Continue an unfinished run beside the output folder, if there is one. The weights are then the same,
            to the last bit, as without the interruption.

    Returns:
        The result; None if `resume` is given and the run is finished already.

    Raises:
        QPeftError: A setting or a file is wrong, the output folder cannot be used, or training diverged.
    """
    place = RunDirectory(config.output)
    if resume and place.is_finished:
        place.clean_up()
        return None
    place.check(resume=resume)
    check_adapter(config.adapter)
    examples, dev_examples = read_training_examples(config)
    check_negatives(examples, config)
    arguments = trainer_arguments(config, place.folder, len(examples))
    processes = PartialState()
    base, tokenizer = load_model(replace(config.base, adapter=NO_ADAPTER, device=str(arguments.device)))
    # No process may make the folder before every process has looked for it.
    processes.wait_for_everyone()
    with place.locked() if processes.is_main_process else nullcontext():
        if processes.is_main_process:
            settings = {**config.settings(), "examples": fingerprint([*examples, *dev_examples])}
            place.write_settings(settings, TrainConfig(config.train, config.output).settings())
            remove_incomplete(place.folder)
        processes.wait_for_everyone()
        record = _train(config, place, base, tokenizer, examples, dev_examples, arguments)
    processes.wait_for_everyone()
    return record


def _train(
    config: TrainConfig,
    place: RunDirectory,
    base: Any,
    tokenizer: Any,
    examples: Sequence[TrainingExample],
    dev_examples: Sequence[TrainingExample],
    arguments: TrainingArguments,
) -> TrainingRecord:
    processes = PartialState()
    scoring = ScoringConfig(
        passage_tokens=config.sampling.passage_tokens, batch_tokens=config.optimization.batch_tokens
    )
    teacher = _teacher(config)
    dev = DevSet(dev_examples, config.sampling, config.loss, teacher, config.seed) if dev_examples else None
    keeping = replace(
        scoring,
        passage_cache_bytes=config.optimization.passage_cache_bytes,
        passage_cache_folder=config.optimization.passage_cache_folder,
    )
    stored = keeping.passage_cache_folder is not None and why_not_cached(base, None) is None
    bare = _bare(
        dev,
        LikelihoodScorer(base, tokenizer, keeping if stored else scoring, read_alone=True),
        place.folder,
        processes,
    )
    model = make_adapter(base, tokenizer, config.adapter, config.seed)
    if config.optimization.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    if _keeps_passages(config.optimization, model):
        scoring = keeping
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
        with saving_errors(place.folder):
            place.finish(_written(model, record, place.folder / "adapter"))
    return record


def _keeps_passages(wanted: OptimizationConfig, model: Any) -> bool:
    # Layers with gradient checkpointing do not accept key-values.
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
    """Measures dev with the base model without an adapter, once; a resumed run reads the figures."""
    if dev is None:
        return {}
    file = folder / "bare.json"
    # A version of this package that did not write it in one piece may have left a part of it.
    with suppress(FileNotFoundError, json.JSONDecodeError):
        kept: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    measured = {**asdict(dev.measure(scorer)), "first_stage_ndcg": dev.first_stage_ndcg()}
    figures = {name: value for name, value in measured.items() if value is not None}
    if processes.is_main_process:
        with atomic_write(file) as written:
            written.write(json.dumps(figures))
    logger.info(
        "base model without an adapter, on dev: %s", ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )
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
    shutil.rmtree(folder, ignore_errors=True)  # a process that was killed here has left unfinished files
    save_adapter(model, folder)
    if record.config.base.model is None:
        # The path of the shipped model is different on every machine.
        for file in folder.rglob("adapter_config.json"):
            settings = json.loads(file.read_text(encoding="utf-8"))
            settings["base_model_name_or_path"] = None
            file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(record), encoding="utf-8")
    (folder / FINISHED).write_text(json.dumps(record.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder
