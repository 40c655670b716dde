"""The settings of a training run as arguments of transformers' Trainer."""

import os
from pathlib import Path

import torch
from transformers import TrainingArguments

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.config import TrainConfig


def trainer_arguments(config: TrainConfig, folder: Path, examples: int) -> TrainingArguments:
    """Returns the arguments of the trainer.

    Args:
        config: The settings of the run.
        folder: The folder of its checkpoints.
        examples: Number of training queries.

    Raises:
        QPeftError: The queries of a step cannot be divided evenly, or there are fewer queries than a step needs.
    """
    wanted = config.optimization
    on_cpu = config.base.device == "cpu" or not torch.cuda.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    parts = processes * wanted.accumulation * config.sampling.in_batch
    if wanted.batch_queries % parts:
        raise QPeftError(
            f"batch_queries ({wanted.batch_queries}) must be a multiple of {parts}: "
            "processes x accumulation x in_batch."
        )
    if examples < wanted.batch_queries:
        raise QPeftError(
            f"{examples} training queries are fewer than one step takes (batch_queries {wanted.batch_queries}): "
            "give more examples, or a smaller batch_queries."
        )
    steps_per_epoch = examples // config.sampling.in_batch // (wanted.batch_queries // config.sampling.in_batch)
    steps = steps_per_epoch * wanted.epochs
    interval = "steps" if wanted.eval_steps else "epoch"
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=wanted.batch_queries // parts,
        gradient_accumulation_steps=wanted.accumulation,
        num_train_epochs=wanted.epochs,
        learning_rate=wanted.learning_rate,
        lr_scheduler_type={"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}[
            wanted.scheduler
        ],
        warmup_steps=round(wanted.warmup * steps),
        weight_decay=wanted.weight_decay,
        max_grad_norm=wanted.clip,
        eval_strategy=interval if config.dev else "no",
        eval_steps=wanted.eval_steps,
        save_strategy=interval,
        save_steps=wanted.eval_steps or 500,
        save_total_limit=2,
        load_best_model_at_end=bool(config.dev),
        metric_for_best_model=f"eval_{wanted.best_by}" if config.dev else None,
        greater_is_better=wanted.best_by == "ndcg" if config.dev else None,
        restore_callback_states_from_checkpoint=True,
        dataloader_drop_last=True,
        remove_unused_columns=False,
        label_names=["positive"],
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if on_cpu and processes > 1 else None,
        use_cpu=on_cpu,
        logging_steps=max(1, min(10, steps // 10)),
        logging_nan_inf_filter=False,
        report_to="none",
        seed=config.seed,
        disable_tqdm=not config.progress,
    )
