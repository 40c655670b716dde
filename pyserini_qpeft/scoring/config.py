"""How scoring is done; nothing here changes a score beyond rounding, but for `passage_tokens`."""

from dataclasses import dataclass, field

from pyserini_qpeft.errors import QPeftError


@dataclass(frozen=True)
class ScoringConfig:
    """Settings of scoring.

    Raises:
        QPeftError: If a number is not positive.
    """

    passage_tokens: int = field(
        default=256, metadata={"help": "tokens of a passage that are read; the end of a longer one is cut"}
    )
    batch_tokens: int | None = field(
        default=None,
        metadata={"help": "tokens in a batch, padding included; found from the device when not given"},
    )
    window_pairs: int = field(
        default=4096,
        metadata={"help": "pairs that are sorted by length together; bounds memory on long runs"},
    )

    def __post_init__(self) -> None:
        for name in ("passage_tokens", "batch_tokens", "window_pairs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QPeftError(f"{name} must be at least 1, not {value}.")
