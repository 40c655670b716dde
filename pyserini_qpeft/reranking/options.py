"""What one call of a reranker asks for, beyond its queries and hits."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored


def check_count(count: int | None, name: str = "k") -> None:
    """Check how many hits are asked for.

    Raises:
        QPeftError: The number is negative. The message begins with `name`.
    """
    if count is not None and count < 0:
        raise QPeftError(f"{name} must not be negative, and is {count}.")


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Options of `rerank_query_batches`.

    Attributes:
        k: How many hits of each query are returned; None is all.
        texts: Gives the texts of hits that have none, see `text_source`; None if all hits have theirs.
        hints: Whether the hint tokens of each hit and the prior of each query are kept.
        report: Counts and time are added to it, query batch by query batch.
        on_scored: Is called with the number of passages that were scored, after each batch of the model, and with the
            number of those that are left out, for lack of time or because they need not be read.
        deadline: When scoring must end, see `score_in_time`. None: `RerankConfig.milliseconds` sets one for each query,
            or there is none.

    Raises:
        QPeftError: `k` is negative.
    """

    k: int | None = None
    texts: TextSource | None = None
    hints: bool = False
    report: ScoringReport = field(default_factory=ScoringReport)
    on_scored: "OnScored | None" = None
    deadline: Deadline | None = None

    def __post_init__(self) -> None:
        check_count(self.k)
