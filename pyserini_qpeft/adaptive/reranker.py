"""A reranker that stops reading a query's hits when its first hits can hardly change any more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.adaptive.rule_file import read_rule
from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.abstract import AbstractReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.reranking.explanation import Explanation
from pyserini_qpeft.reranking.fingerprint import config_settings
from pyserini_qpeft.reranking.probability import with_probabilities
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.reranking.requests import Asked, Request, Reranked, ask, ranked_hits, text_source
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored


class AdaptiveReranker(AbstractReranker):
    """Reads the hits of a query in blocks, and stops when the rule says so.

    The list of a query is the one that the reranker itself gives at the depth where reading stopped: a hit that was
    not read is treated as a hit below the depth.

    Args:
        reranker: Scores the hits. Its configuration says how many are read at most (`depth`), and how scores become a
            ranking.
        rule: When reading stops; None is the rule that comes with the package.

    Raises:
        QPeftError: See `check_adaptive`.
    """

    def __init__(self, reranker: QPeftReranker, rule: StoppingRule | None = None) -> None:
        self.reranker = reranker
        self.config = reranker.config
        self.rule = read_rule() if rule is None else rule
        self.last_report = ScoringReport()
        check_adaptive(self.config)
        # Gives likelihoods only: order, threshold and tail are decided when reading has stopped.
        reading = replace(
            self.config, depth=None, below_depth="keep", fusion=None, minimum_probability=None, milliseconds=None
        )
        self._reader = QPeftReranker(reranker.scorer, reading)

    @property
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages."""
        return self.reranker.query_batch_pairs

    def settings(self) -> dict[str, Any]:
        """Everything that scores and rankings depend on, by name."""
        rule = {f"adaptive.{name}": value for name, value in config_settings(self.rule).items()}
        return {**self.reranker.settings(), **rule}

    def explain(self, query: str, text: str) -> Explanation:
        """The parts of one likelihood."""
        return self.reranker.explain(query, text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reranker!r}, {self.rule!r})"

    def rerank_query_batches(
        self,
        batches: Iterable[Iterable[Request]],
        *,
        k: int | None = None,
        searcher: Any = None,
        corpus: Any = None,
        hints: bool = False,
        report: ScoringReport | None = None,
        on_scored: "OnScored | None" = None,
        deadline: Deadline | None = None,
    ) -> Iterator[Reranked]:
        """See `AbstractReranker.rerank_query_batches`. `on_scored` counts hits that need not be read as done."""
        self.last_report = report = report if report is not None else ScoringReport()
        texts, places = text_source(searcher, corpus), count(1)
        limit = self.config.milliseconds if deadline is None else None
        options: dict[str, Any] = {"hints": hints, "report": report, "on_scored": on_scored, "deadline": deadline}
        for batch in batches:
            reading = [_Reading(ask(request, next(places), texts, self.config.depth)) for request in batch]
            # With a time limit, the time of a query begins when the query before it is done.
            for part in [reading] if limit is None else [[one] for one in reading]:
                end = deadline if limit is None else Deadline.after(limit)
                self._read(part, **{**options, "deadline": end})
                for one in part:
                    yield with_probabilities(one.finish(self.config, hints=hints), self.config).first(k)

    def _read(self, reading: list["_Reading"], **options: Any) -> None:
        """Read block after block, each for all queries that are not done, so that batches of the model stay full."""
        left = [one for one in reading if one.asked.head]
        while left:
            blocks = [one.next_block(self.rule) for one in left]
            for one, found in zip(left, self._reader.rerank_query_batches([blocks], **options), strict=True):
                one.add(found)
                one.done = one.done or self.rule.stops(one.likelihoods, one.first_stage, self.config.fusion)
            if options["on_scored"] is not None and (unread := sum(one.unread for one in left if one.done)):
                options["on_scored"](unread)
            left = [one for one in left if not one.done]


def check_adaptive(config: RerankConfig) -> None:
    """Refuse settings that adaptive depth cannot follow.

    Raises:
        QPeftError: The fusion is `rrf`.
    """
    if config.fusion is not None and config.fusion.method == "rrf":
        raise QPeftError(
            "adaptive depth cannot be used with rrf, which fuses ranks: choose the fusion zscore, minmax or linear."
        )


@dataclass(slots=True)
class _Reading:
    """A query of which a part of the hits has been read.

    Attributes:
        asked: The query and its hits.
        hits: The hits that were read, in the first stage's order.
        hints: Their hint tokens.
        prior: Likelihood of the query without a passage, if it is known.
        left_out: Hits of the last block for which there was no time.
        done: Whether reading has stopped.
    """

    asked: Asked
    hits: list[RankedHit] = field(default_factory=list)
    hints: list[list[str] | None] = field(default_factory=list)
    prior: float | None = None
    left_out: int = 0
    done: bool = False

    @property
    def first_stage(self) -> list[float]:
        return [one.score for one in self.asked.head]

    @property
    def likelihoods(self) -> list[float]:
        return [hit.likelihood for hit in self.hits if hit.likelihood is not None]

    @property
    def unread(self) -> int:
        """Hits that were not read, without those that were counted as left out for lack of time."""
        return len(self.asked.head) - len(self.hits) - self.left_out

    def next_block(self, rule: StoppingRule) -> Request:
        head, read = self.asked.head, len(self.hits)
        block = head[read : rule.next_stop(read, len(head))]
        return self.asked.query, block

    def add(self, found: Reranked) -> None:
        """Take the hits of a block, which come in the order of their likelihoods; stop if the time was too short."""
        read = [place for place, hit in enumerate(found.hits) if hit.likelihood is not None]
        places = sorted(read, key=lambda place: found.hits[place].first_stage_rank)
        self.left_out = len(found.hits) - len(read)
        self.done = self.left_out > 0
        self.hits += [found.hits[place] for place in places]
        self.hints += [None if found.hints is None else found.hints[place] for place in places]
        self.prior = found.prior

    def finish(self, config: RerankConfig, *, hints: bool) -> Reranked:
        """The list of the query at the depth where reading stopped."""
        head, read = self.asked.head, len(self.hits)
        tail = [*first_stage_hits([(one.docid, one.score) for one in head[read:]], first_rank=read + 1)]
        asked = replace(self.asked, head=head[:read], tail=[*tail, *self.asked.tail])
        likelihoods = np.asarray(self.likelihoods, dtype=np.float32)
        scores = [*(one.score for one in asked.head), *(hit.first_stage_score for hit in asked.tail)]
        ranking = rank_hits(likelihoods.tolist(), scores, config.fusion, depth=read, below_depth=config.below_depth)
        hits = RankedHits(
            hit
            if hit.likelihood is None
            else replace(
                self.hits[place],
                score=hit.score,
                rank=hit.rank,
                first_stage_score=hit.first_stage_score,
                first_stage_rank=hit.first_stage_rank,
            )
            for place, hit in zip(ranking.order, ranked_hits(asked, likelihoods, ranking), strict=True)
        )
        kept = [self.hints[place] if place < read else None for place in ranking.order] if hints else None
        return Reranked(hits, kept, read, self.prior)
