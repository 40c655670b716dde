"""The records that readers return and writers take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """A hit of a run.

    Attributes:
        docid: Id of the passage.
        score: The first stage's score.
        text: Text of the passage, if the file holds it (requests, JSONL).
        passages: The hits that were folded into this one, which is then a document: its passages, in document order.
    """

    docid: str
    score: float
    text: str | None = None
    passages: "tuple[ScoredDoc, ...]" = ()


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A window of a document, with its likelihood.

    Attributes:
        start: Its first character in the text of the document.
        stop: The character after its last.
        likelihood: Mean log-likelihood (natural logarithm) of a query token, given this window.
        docid: Docid of the passage that it is from, if the document was given as passages.
    """

    start: int
    stop: int
    likelihood: float
    docid: str | None = None


@dataclass(frozen=True, slots=True)
class BestPassage:
    """The window of a document with the highest likelihood.

    Attributes:
        text: Its text, `hit.text[start:stop]`; None if the text of the document was not kept.
        start: Its first character in the text of the document.
        stop: The character after its last.
        likelihood: As for `ScoredWindow`.
        docid: As for `ScoredWindow`.
    """

    text: str | None
    start: int
    stop: int
    likelihood: float
    docid: str | None = None


@dataclass(frozen=True, slots=True)
class StageScore:
    """A hit after one stage of a cascade.

    Attributes:
        rank: Its rank, from 1.
        score: Its score.
        likelihood: Its likelihood; None if the stage did not rescore it.
    """

    rank: int
    score: float
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class RankedHit:
    """A hit in its final place, with its place and score before reranking.

    Attributes:
        docid: Id of the passage.
        score: Score that the list is sorted by, descending.
        rank: Place in the list, from 1.
        first_stage_score: Score before reranking; NaN if the first stage gave none (JSONL: null).
        first_stage_rank: Place before reranking, from 1.
        text: Text that was scored, if it was kept.
        likelihood: Mean log-likelihood (natural logarithm) of a query token; None below the depth.
        probability: Calibrated probability that the hit is relevant, 0 to 1; None below the depth, or if the model has
            no calibration.
        windows: The windows through which the document was scored, in document order; empty if windows are off.
        stages: Rank, score and likelihood after each stage of a cascade, first to last; None without a cascade.
    """

    docid: str
    score: float
    rank: int
    first_stage_score: float
    first_stage_rank: int
    text: str | None = None
    likelihood: float | None = None
    probability: float | None = None
    windows: tuple[ScoredWindow, ...] = ()
    stages: tuple[StageScore, ...] | None = None

    @property
    def best_passage(self) -> BestPassage | None:
        """The window with the highest likelihood, the first of equals; None if the document has no windows."""
        if not self.windows:
            return None
        best = max(self.windows, key=lambda window: window.likelihood)
        text = None if self.text is None else self.text[best.start : best.stop]
        return BestPassage(text, best.start, best.stop, best.likelihood, best.docid)


@dataclass(frozen=True, slots=True)
class RankedList:
    """The final list of one query, as it is written.

    Attributes:
        qid: Id of the query.
        query: Text of the query.
        hits: In rank order.
        hints: The hint tokens of each hit, parallel to `hits` (JSONL only).
        seconds: Time spent on this query (JSONL only).
        prior: Likelihood of the query without a passage, from which probabilities are fitted (JSONL only).
        dropped: How many hits were left out because their probability was too low (JSONL only).
    """

    qid: str
    query: str
    hits: Sequence[RankedHit]
    hints: Sequence[Sequence[str] | None] | None = None
    seconds: float | None = None
    prior: float | None = None
    dropped: int = 0


Run = Mapping[str, list[ScoredDoc]]
"""Hits of each query in rank order; queries in file order."""

Topics = dict[str, str]
"""Text of each query, in file order."""

Qrels = dict[str, dict[str, int]]
"""Grade of each judged passage of each query; a negative one means not relevant."""
