"""All that a training run depends on: frozen dataclasses, of which the command line is made."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.losses.config import LossConfig

Variant = Literal["retrieval", "attention", "prompt-tuning", "lora"]


@dataclass(frozen=True)
class AdapterConfig:
    """What is trained.

    Attributes:
        prompt: Settings of `QPeftConfig` that differ from its defaults.

    Raises:
        QPeftError: If LoRA is asked for twice, or has no rank.
    """

    variant: Variant = field(
        default="retrieval",
        metadata={"help": "Q-PEFT-R, Q-PEFT-A, a trained instruction without hints, or LoRA alone"},
    )
    lora: bool = field(default=False, metadata={"help": "train a LoRA of the base underneath the hints"})
    lora_rank: int = field(default=8, metadata={"help": "rank of the LoRA's updates"})
    lora_alpha: int = field(default=16, metadata={"help": "LoRA: updates are scaled by this over the rank"})
    lora_dropout: float = field(default=0.0, metadata={"help": "LoRA: dropout in training"})
    prompt: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lora and self.variant == "lora":
            raise QPeftError("variant lora is a LoRA already: leave out lora, or name the variant above it.")
        if self.lora_rank < 1:
            raise QPeftError(f"lora_rank must be at least 1, not {self.lora_rank}.")

    @property
    def has_lora(self) -> bool:
        """Whether weights of the base are updated."""
        return self.lora or self.variant == "lora"


@dataclass(frozen=True)
class SamplingConfig:
    """Which passages a query is trained with.

    Raises:
        QPeftError: If a number is out of its range.
    """

    positives: int = field(default=1, metadata={"help": "positives of a query in each epoch"})
    negatives: int = field(default=3, metadata={"help": "hard negatives of a query in each epoch"})
    in_batch: int = field(
        default=1,
        metadata={"help": "so many queries share their passages as negatives (in-batch negatives); 1: none do"},
    )
    max_queries: int | None = field(
        default=None, metadata={"help": "training queries, drawn by the seed; all if unset"}
    )
    dev_queries: int | None = field(default=None, metadata={"help": "dev queries, the same in every run; all if unset"})
    dev_depth: int = field(default=20, metadata={"help": "candidates of a dev query that are reranked for nDCG@10"})
    passage_tokens: int = field(default=256, metadata={"help": "tokens of a passage that are read"})

    def __post_init__(self) -> None:
        for name in ("positives", "in_batch", "max_queries", "dev_queries", "dev_depth", "passage_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QPeftError(f"{name} must be at least 1, not {value}.")
        if self.negatives < 0:
            raise QPeftError(f"negatives must not be negative, and is {self.negatives}.")


@dataclass(frozen=True)
class OptimizationConfig:
    """Steps, rates and when to stop.

    Raises:
        QPeftError: If a number is out of its range.
    """

    learning_rate: float = field(default=1e-3, metadata={"help": "AdamW's highest rate"})
    lora_learning_rate: float | None = field(
        default=None, metadata={"help": "the LoRA's own rate underneath hints; the same if unset"}
    )
    weight_decay: float = field(default=0.0, metadata={"help": "AdamW's weight decay"})
    scheduler: Literal["cosine", "linear", "constant"] = field(
        default="cosine", metadata={"help": "how the rate falls after warm-up"}
    )
    warmup: float = field(default=0.05, metadata={"help": "share of the steps over which the rate rises"})
    epochs: int = field(default=3, metadata={"help": "times that every query is seen"})
    batch_queries: int = field(
        default=16, metadata={"help": "queries of an optimizer step, over all processes and accumulated passes"}
    )
    accumulation: int = field(default=1, metadata={"help": "passes over which a step's gradients are summed"})
    clip: float = field(default=1.0, metadata={"help": "largest norm of the gradient; 0: not clipped"})
    eval_steps: int | None = field(
        default=None, metadata={"help": "steps between looks at dev, each with a checkpoint; an epoch if unset"}
    )
    patience: int | None = field(
        default=None, metadata={"help": "stop after so many looks at dev without gain; never if unset"}
    )
    best_by: Literal["ndcg", "loss"] = field(
        default="ndcg", metadata={"help": "dev figure that chooses the checkpoint: nDCG@10 of reranking, or the loss"}
    )
    batch_tokens: int = field(default=4096, metadata={"help": "tokens in one forward pass, padding included"})
    passage_cache_bytes: int = field(
        default=1 << 30,
        metadata={
            "help": "memory for what the frozen base has read of passages, kept from step to step where all that is "
            "trained stands behind them (hints in the suffix layout, no LoRA, no trained instruction); 0: none is kept"
        },
    )
    constant_memory: bool = field(
        default=False,
        metadata={"help": "keep no more than one forward pass of a step in memory, for a third more time"},
    )
    gradient_checkpointing: bool = field(
        default=False, metadata={"help": "keep one layer in memory instead of all, for a third more time"}
    )

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_queries", "accumulation", "eval_steps", "patience", "batch_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QPeftError(f"{name} must be at least 1, not {value}.")
        if self.learning_rate <= 0 or not 0 <= self.warmup <= 1 or self.clip < 0 or self.weight_decay < 0:
            raise QPeftError(
                "learning_rate must be above 0, warmup between 0 and 1, clip and weight_decay not negative."
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        train: Files in DPR's JSON.
        output: The adapter's folder; it appears when training is through.
        dev: Files in DPR's JSON; without them nothing is measured and the last weights are kept.
        model: Hub id or folder of the base; None is the shipped model.
        adapter: What is trained.
        sampling: Which passages a query is trained with.
        loss: Which loss, and its numbers.
        optimization: Steps, rates and when to stop.
        teacher: A run whose scores `margin-mse` learns from.

    Raises:
        QPeftError: If settings contradict each other.
    """

    train: tuple[Path, ...]
    output: Path
    dev: tuple[Path, ...] = ()
    model: str | None = field(
        default=None, metadata={"help": "hub id or folder of the base model; the shipped model if unset"}
    )
    device: str | None = field(default=None, metadata={"help": "such as cpu or cuda:0; the first GPU if unset"})
    dtype: str | None = field(
        default=None, metadata={"help": "of the base, such as bfloat16; the adapter is always float32"}
    )
    quantize: Literal["4bit", "8bit"] | None = field(
        default=None, metadata={"help": "load the base in 4 or 8 bits (bitsandbytes, which must be installed)"}
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "let transformers run code of the model"})
    teacher: Path | None = field(default=None, metadata={"help": "run whose scores margin-mse learns from"})
    seed: int = field(default=1, metadata={"help": "fixes initial weights, order, samples and dropout"})
    licence: str | None = field(default=None, metadata={"help": "licence of the adapter, for its model card"})
    tensorboard: Path | None = field(default=None, metadata={"help": "folder for TensorBoard's logs"})
    progress: bool = field(default=True, metadata={"help": "show a progress bar"})
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)

    def __post_init__(self) -> None:
        if not self.train:
            raise QPeftError("there is nothing to train on: give at least one file in DPR's JSON.")
        if (self.loss.loss == "margin-mse") != (self.teacher is not None):
            raise QPeftError("the loss margin-mse needs a teacher (a run), and no other loss takes one.")
        if self.optimization.batch_queries % self.sampling.in_batch:
            raise QPeftError(
                f"batch_queries ({self.optimization.batch_queries}) must be a multiple of in_batch "
                f"({self.sampling.in_batch}), the queries that share their passages."
            )
        if self.optimization.patience is not None and not self.dev:
            raise QPeftError("patience needs dev examples to look at: give them with dev.")

    def settings(self) -> dict[str, Any]:
        """What the outcome depends on, as plain values for JSON; where it is shown and written is left out."""
        plain = asdict(self)
        for name in ("progress", "tensorboard", "output"):
            del plain[name]
        plain["train"] = [str(path) for path in self.train]
        plain["dev"] = [str(path) for path in self.dev]
        plain["teacher"] = None if self.teacher is None else str(self.teacher)
        return plain
