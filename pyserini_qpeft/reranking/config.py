"""What is rescored, and how scores become a ranking."""

from dataclasses import dataclass, field

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.tail import BELOW_DEPTH, BelowDepth
from pyserini_qpeft.scoring.config import ScoringConfig


@dataclass(frozen=True)
class RerankConfig:
    """What is rescored, and how scores become a ranking.

    Raises:
        QPeftError: If a setting has a value that does not exist.
    """

    depth: int | None = field(
        default=None, metadata={"help": "how many of a query's first hits are rescored; all when not given"}
    )
    below_depth: BelowDepth = field(
        default="keep",
        metadata={"help": "hits below the depth: keep (after the rescored ones, in their order) or drop"},
    )
    fusion: FusionConfig | None = field(
        default=None, metadata={"help": "how the first stage's scores are mixed in; None: not at all"}
    )
    scoring: ScoringConfig = field(default_factory=ScoringConfig, metadata={"help": "how scoring is done"})
    progress: bool = field(default=False, metadata={"help": "show a progress bar over queries"})

    def __post_init__(self) -> None:
        if self.depth is not None and self.depth < 0:
            raise QPeftError(f"depth must not be negative, and is {self.depth}.")
        if self.below_depth not in BELOW_DEPTH:
            raise QPeftError(f"below_depth must be {' or '.join(BELOW_DEPTH)}, not {self.below_depth!r}.")
