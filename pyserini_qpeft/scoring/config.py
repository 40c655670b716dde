"""How scoring is done; nothing here changes a score beyond rounding, but for `passage_tokens` and `hints`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pyserini_qpeft.errors import QPeftError

HintSource = Literal["own", "shuffled", "random"]


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
    query_batch_pairs: int | None = field(
        default=None,
        metadata={
            "help": "pairs that are scored together, a passage that they share being read once; bounds memory, and "
            "what is lost when a run is cut off; found from model and device when not given"
        },
    )

    share_passages: bool = field(
        default=True,
        metadata={
            "help": "read a passage once for all queries that are scored together, where the model allows it; scores "
            "move by rounding"
        },
    )
    passage_cache_bytes: int = field(
        default=0,
        metadata={
            "help": "memory for what the model has read of passages, so that a passage is read once for all queries; "
            "0: none is kept"
        },
    )
    passage_cache_folder: Path | None = field(
        default=None, metadata={"help": "folder where that is kept on disk too, for later runs of the same model"}
    )

    compile: bool = field(
        default=False,
        metadata={
            "help": "compile the model (torch.compile; on a CPU it needs a C++ compiler): faster after half a minute "
            "to some minutes, for long runs"
        },
    )

    hints: HintSource = field(
        default="own",
        metadata={
            "help": "what hints are made of: the passage (own) or, to see what hints are worth, another passage of the "
            "query's list (shuffled), or any of the passage's tokens (random; retrieved hints only)"
        },
    )

    def __post_init__(self) -> None:
        for name in ("passage_tokens", "batch_tokens", "query_batch_pairs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QPeftError(f"{name} must be at least 1, not {value}.")
        if self.hints not in get_args(HintSource):
            raise QPeftError(f"hints must be {', '.join(get_args(HintSource))}, not {self.hints!r}.")
        if self.passage_cache_bytes < 0:
            raise QPeftError(f"passage_cache_bytes must not be negative, and is {self.passage_cache_bytes}.")
        if self.passage_cache_folder is not None and not self.passage_cache_bytes:
            raise QPeftError("passage_cache_folder needs passage_cache_bytes: what is on disk passes through memory.")
