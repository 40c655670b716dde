"""The settings of an adapter that is trained: the variant, and the LoRA beside it or in its place."""

from dataclasses import dataclass, field, fields
from typing import Any

from pyserini_qpeft.checks import check_number, check_whole
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.qpeft.hints import HINT_RULES, NO_HINTS

PROMPT_TUNING, LORA = "prompt-tuning", "lora"
VARIANTS = (*(rule for rule in HINT_RULES if rule != NO_HINTS), PROMPT_TUNING, LORA)


@dataclass(frozen=True)
class AdapterConfig:
    """What is trained.

    Attributes:
        prompt: Settings of `QPeftConfig` that differ from its defaults.

    Raises:
        QPeftError: The variant does not exist, LoRA is asked for twice, a number is out of its range, a setting of a
            LoRA is given without one, or a setting of the prompt is given with a LoRA alone.
    """

    variant: str = field(
        default="retrieval",
        metadata={
            "help": "retrieval (Q-PEFT-R) and attention (Q-PEFT-A) train hints, prompt-tuning trains an instruction "
            "without hints, lora trains a LoRA alone",
            "choices": VARIANTS,
        },
    )
    lora: bool = field(default=False, metadata={"help": "also train a LoRA of the base model"})
    lora_rank: int = field(default=8, metadata={"help": "rank of the LoRA's updates"})
    lora_alpha: int = field(default=16, metadata={"help": "LoRA: updates are multiplied by alpha / rank"})
    lora_dropout: float = field(default=0.0, metadata={"help": "LoRA: dropout in training"})
    lora_targets: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "LoRA: names of the layers that it changes, such as q_proj v_proj; fewer layers train faster "
            "(default: all linear layers)"
        },
    )
    lora_layers: int | None = field(
        default=None,
        metadata={
            "help": "LoRA: number of layers that it changes, counted from the last one; nothing is trained below them, "
            "which is faster (default: all)"
        },
    )
    prompt: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise QPeftError(
                f"variant must be one of {', '.join(VARIANTS)}, not {self.variant!r}."
                f"{did_you_mean(self.variant, VARIANTS)}"
            )
        if self.lora and self.variant == LORA:
            raise QPeftError("variant lora is a LoRA already: leave out lora, or choose another variant.")
        for name in ("lora_rank", "lora_layers"):
            check_whole(getattr(self, name), name, 1)
        check_number(self.lora_dropout, "lora_dropout", optional=False)
        if not 0 <= self.lora_dropout < 1:
            raise QPeftError(f"lora_dropout must be 0 or more and below 1, and is {self.lora_dropout}.")
        for one in fields(self):
            # An empty list of layers means what the default, an empty tuple, means.
            given = getattr(self, one.name) not in (one.default, [])
            if one.name.startswith("lora_") and given and not self.has_lora:
                raise QPeftError(f"{one.name} is about a LoRA: choose variant lora, or give lora too.")
        if self.variant == LORA and self.prompt:
            raise QPeftError(f"{next(iter(self.prompt))} is about hints or prompt, and variant lora trains neither.")

    @property
    def has_lora(self) -> bool:
        """Whether a LoRA changes the base model."""
        return self.lora or self.variant == LORA
