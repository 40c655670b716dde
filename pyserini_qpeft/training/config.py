"""The settings of a training run, as frozen dataclasses; the options of `qpeft train` are made from their fields."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.checks import check_number, check_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.losses.config import LossConfig


@dataclass(frozen=True)
class SamplingConfig:
    """Which passages each query is trained with.

    Raises:
        QPeftError: A number is out of its range.
    """

    positives: int = field(default=1, metadata={"help": "positives per query and epoch"})
    negatives: int = field(default=3, metadata={"help": "hard negatives per query and epoch"})
    in_batch: int = field(
        default=1,
        metadata={
            "help": "queries that use each other's passages (in-batch negatives; positives of several queries are "
            "positives for each of them); 1 turns it off"
        },
    )
    groups: Literal["random", "near"] = field(
        default="random",
        metadata={
            "help": "in_batch: which queries use each other's passages: random ones, or those that have passages in "
            "common (near), whose passages are hard negatives for each other"
        },
    )
    group_passages: int | None = field(
        default=None,
        metadata={
            "help": "in_batch: passages that the queries of a group share: their positives, even if these are more, "
            "then hard negatives up to this number, whatever negatives says (default: those that each query gets by "
            "itself)"
        },
    )
    max_queries: int | None = field(
        default=None, metadata={"help": "number of training queries, a random sample fixed by the seed (default: all)"}
    )
    dev_queries: int | None = field(
        default=None, metadata={"help": "number of dev queries, the same sample in every run (default: all)"}
    )
    dev_depth: int = field(default=20, metadata={"help": "candidates per dev query that are reranked for nDCG@10"})
    passage_tokens: int = field(
        default=256, metadata={"help": "tokens of a passage that the model reads; longer passages are cut at the end"}
    )

    def __post_init__(self) -> None:
        for name in (
            "positives",
            "in_batch",
            "group_passages",
            "max_queries",
            "dev_queries",
            "dev_depth",
            "passage_tokens",
        ):
            check_whole(getattr(self, name), name, 1)
        check_whole(self.negatives, "negatives", 0)
        if self.in_batch == 1 and (self.groups != "random" or self.group_passages is not None):
            raise QPeftError("groups and group_passages are about queries that share passages: give in_batch too.")


@dataclass(frozen=True)
class OptimizationConfig:
    """Steps, learning rates, and when training stops.

    Raises:
        QPeftError: A number is out of its range.
    """

    learning_rate: float = field(default=1e-3, metadata={"help": "highest learning rate of AdamW"})
    lora_learning_rate: float | None = field(
        default=None, metadata={"help": "learning rate of a LoRA that is trained with hints (default: the same)"}
    )
    weight_decay: float = field(default=0.0, metadata={"help": "weight decay of AdamW"})
    scheduler: Literal["cosine", "linear", "constant"] = field(
        default="cosine", metadata={"help": "how the learning rate falls after warm-up"}
    )
    warmup: float = field(default=0.05, metadata={"help": "share of the steps in which the learning rate rises"})
    epochs: int = field(default=3, metadata={"help": "passes over all training queries"})
    batch_queries: int = field(
        default=16, metadata={"help": "queries per optimizer step, summed over processes and accumulated passes"}
    )
    accumulation: int = field(
        default=1, metadata={"help": "forward and backward passes whose gradients are summed in an optimizer step"}
    )
    clip: float = field(default=1.0, metadata={"help": "largest norm of the gradient; 0 turns clipping off"})
    eval_steps: int | None = field(
        default=None, metadata={"help": "steps between dev evaluations; each saves a checkpoint (default: an epoch)"}
    )
    patience: int | None = field(
        default=None, metadata={"help": "stop after this many dev evaluations without a better result (default: never)"}
    )
    best_by: Literal["ndcg", "loss"] = field(
        default="ndcg", metadata={"help": "what the best checkpoint is chosen by on dev: nDCG@10 or the loss"}
    )
    batch_tokens: int = field(default=4096, metadata={"help": "tokens per batch, padding included"})
    passage_cache_bytes: int = field(
        default=1 << 30,
        metadata={
            "help": "memory for the passage cache (key-values of passages, reused in later steps), such as 4GB; 0 "
            "turns it off. It is used only if the adapter does not change how passages are read: hints in the suffix "
            "layout, no LoRA, no trained instruction",
            "unit": "bytes",
        },
    )
    passage_cache_folder: Path | None = field(
        default=None,
        metadata={
            "help": "folder that keeps the key-values of passages for later epochs, dev evaluations and runs on the "
            "same base model; needs a few megabytes per passage"
        },
    )
    constant_memory: bool = field(
        default=False,
        metadata={"help": "keep the activations of one forward pass at a time: less memory, a third more time"},
    )
    gradient_checkpointing: bool = field(
        default=False, metadata={"help": "keep the activations of one layer at a time: less memory, a third more time"}
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_queries", "accumulation", "eval_steps", "patience", "batch_tokens"):
            check_whole(getattr(self, name), name, 1)
        if self.passage_cache_folder is not None and not self.passage_cache_bytes:
            raise QPeftError("passage_cache_folder needs passage_cache_bytes: stored passages are loaded into it.")
        for name in ("learning_rate", "lora_learning_rate"):
            value = getattr(self, name)
            check_number(value, name, optional=name == "lora_learning_rate")
            if value is not None and not 0 < value < math.inf:
                raise QPeftError(f"{name} must be above 0, and is {value}.")
        for name, most in (("warmup", 1.0), ("clip", math.inf), ("weight_decay", math.inf)):
            check_number(getattr(self, name), name, optional=False)
            if not 0 <= getattr(self, name) <= most:
                range_of = "between 0 and 1" if most == 1.0 else "0 or more"
                raise QPeftError(f"{name} must be {range_of}, and is {getattr(self, name)}.")


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        train: Files of training examples, in DPR's JSON.
        output: The folder of the adapter; it is written when training ends.
        dev: Files of dev examples, in DPR's JSON. Without them nothing is measured, and the last weights are kept.
        base: The base model. Training starts without an adapter on it.
        adapter: What is trained.
        sampling: Which passages each query is trained with.
        loss: Which loss, and its numbers.
        optimization: Steps, learning rates, and when training stops.
        teacher: A run whose scores the loss `margin-mse` learns from.
        seed: Seed of the first weights, the order of queries, samples and dropout.
        licence: Licence of the adapter, written to its model card.
        tensorboard: Folder for TensorBoard logs.
        progress: Whether to show a progress bar.

    Raises:
        QPeftError: Settings contradict each other.
    """

    train: tuple[Path, ...]
    output: Path
    dev: tuple[Path, ...] = ()
    base: ModelConfig = field(default_factory=lambda: ModelConfig(adapter=NO_ADAPTER))
    teacher: Path | None = field(default=None, metadata={"help": "run whose scores the loss margin-mse learns from"})
    seed: int = field(
        default=1, metadata={"help": "seed of the first weights, the order of queries, samples and dropout"}
    )
    licence: str | None = field(default=None, metadata={"help": "licence of the adapter, written to its model card"})
    tensorboard: Path | None = field(default=None, metadata={"help": "folder for TensorBoard logs"})
    progress: bool = True
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)

    def __post_init__(self) -> None:
        if not self.train:
            raise QPeftError("there is nothing to train on: give at least one file in DPR's JSON.")
        if self.base.adapter not in (None, NO_ADAPTER):
            raise QPeftError(f"training starts without an adapter: leave out {self.base.adapter!r}.")
        if self.base.quantize == "int8":
            raise QPeftError("a base model in int8 cannot be trained on: use 8bit or 4bit, or leave out quantize.")
        if (self.loss.loss == "margin-mse") != (self.teacher is not None):
            raise QPeftError("the loss margin-mse needs a teacher (a run), and no other loss takes one.")
        if self.optimization.batch_queries % self.sampling.in_batch:
            raise QPeftError(
                f"batch_queries ({self.optimization.batch_queries}) must be a multiple of in_batch "
                f"({self.sampling.in_batch}), the queries that share their passages."
            )
        if self.optimization.lora_learning_rate is not None and not self.adapter.has_lora:
            raise QPeftError("lora_learning_rate is about a LoRA: choose variant lora, or give lora too.")
        check_whole(self.seed, "seed", 0)
        given = {"patience": self.optimization.patience, "dev_queries": self.sampling.dev_queries}
        for name, value in given.items():
            if value is not None and not self.dev:
                raise QPeftError(f"{name} needs dev examples: give them with dev.")

    def settings(self) -> dict[str, Any]:
        """Returns everything that the result depends on, as plain values for JSON.

        The output folder, the folder of stored passages, the progress bar and TensorBoard are not part of it.
        """
        plain = asdict(self)
        del plain["optimization"]["passage_cache_folder"]
        for name in ("progress", "tensorboard", "output", "train", "dev", "base"):
            del plain[name]
        base = asdict(self.base)
        del base["adapter"]
        return {
            "train": [str(path) for path in self.train],
            "dev": [str(path) for path in self.dev],
            **base,
            **plain,
            "teacher": None if self.teacher is None else str(self.teacher),
        }
