"""What one call of a reranker asks for, beyond its queries and hits."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.checks import check_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored


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
        QPeftError: `k` is negative or no whole number, or another option is of the wrong type.
    """

    k: int | None = None
    texts: TextSource | None = None
    hints: bool = False
    report: ScoringReport = field(default_factory=ScoringReport)
    on_scored: "OnScored | None" = None
    deadline: Deadline | None = None

    def __post_init__(self) -> None:
        check_whole(self.k, "k", 0)
        if self.texts is not None and not callable(self.texts):
            raise QPeftError(
                f"texts must be a function from docid to text, not {self.texts!r:.60}: text_source makes one of a "
                "searcher or a corpus."
            )
        if self.deadline is not None and not isinstance(self.deadline, Deadline):
            raise QPeftError(f"deadline must be a Deadline, such as Deadline.after(500), not {self.deadline!r:.60}.")
