"""One call of the reranker: from requests to likelihoods, and from likelihoods to final lists."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline, Pace, score_in_time
from pyserini_qpeft.reranking.probability import with_probabilities
from pyserini_qpeft.reranking.ranking import Ranking, rank_hits
from pyserini_qpeft.reranking.requests import Asked, Reranked, ranked_hits, refuse_non_finite
from pyserini_qpeft.scoring.report import ScoringReport

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.scoring.sequences import PairSequence

_logger = logging.getLogger(__name__)


class RerankCall:
    """One call of the reranker. It holds everything that changes during the call; no other call sees it.

    Args:
        scorer: The model that scores pairs.
        config: How scores become a ranking.
        report: Counts and time of scoring are added to it.
        k: How many hits of each query are returned; None is all.
        hints: Whether the hint tokens of each hit and the prior of each query are kept.
        on_scored: Is called with the number of pairs that were scored, after each batch of the model, and with the
            number of pairs that were left out for lack of time.
    """

    def __init__(
        self,
        scorer: "LikelihoodScorer",
        config: RerankConfig,
        report: ScoringReport,
        *,
        k: int | None = None,
        hints: bool = False,
        on_scored: "OnScored | None" = None,
    ) -> None:
        self._scorer = scorer
        self._config = config
        self._report = report
        self._k = k
        self._hints = hints
        self._on_scored = on_scored
        self._warned = False

    def score(self, pairs: Sequence[tuple[str, str]]) -> "tuple[npt.NDArray[np.float32], list[PairSequence]]":
        """Score pairs together.

        Args:
            pairs: (query, passage) texts.

        Returns:
            Their likelihoods, float32 `[len(pairs)]`, and their sequences.
        """
        start = time.perf_counter()
        sequences = self._scorer.sequences(pairs)
        scores = self._scorer.score(sequences, self._on_scored)
        report = self._report
        report.passages += len(sequences)
        report.tokens += sum(len(sequence) for sequence in sequences)
        report.passages_cut += sum(sequence.tokens_cut > 0 for sequence in sequences)
        report.tokens_cut += sum(sequence.tokens_cut for sequence in sequences)
        report.seconds += time.perf_counter() - start
        return scores, sequences

    def _priors(self, batch: Sequence[Asked]) -> dict[str, float]:
        """The likelihood of each query without a passage, if it is needed and the query has hits to rescore."""
        needed = self._hints or self._config.calibration is not None
        queries = list(dict.fromkeys(asked.query for asked in batch if asked.head))
        if not queries or not needed:
            return {}
        start = time.perf_counter()
        sequences = self._scorer.sequences([(query, "") for query in queries])
        found = dict(zip(queries, map(float, self._scorer.score(sequences)), strict=True))
        self._report.tokens += sum(len(sequence) for sequence in sequences)
        self._report.seconds += time.perf_counter() - start
        return found

    def rank(self, batch: Sequence[Asked]) -> Iterator[Reranked]:
        """Score the pairs of a query batch together, and yield the list of each query in order.

        Raises:
            NonFiniteScoreError: The model's score of a hit is not finite.
        """
        pairs = [(asked.query, candidate.text) for asked in batch for candidate in asked.head]
        scores, sequences = self.score(pairs) if pairs else (np.zeros(0, dtype=np.float32), [])
        priors = self._priors(batch)
        start = 0
        for asked in batch:
            stop = start + len(asked.head)
            yield self._list(asked, scores[start:stop], sequences[start:stop], priors.get(asked.query))
            start = stop

    def rank_in_time(self, asked: Asked, deadline: Deadline, pace: Pace) -> Reranked:
        """Score the hits of one query until a deadline, see `score_in_time`; the others join the tail."""
        prior = self._priors([asked]).get(asked.query)
        read, scores, sequences = score_in_time(asked, self.score, deadline, pace)
        if self._on_scored is not None:
            self._on_scored(len(asked.head) - len(read.head))
        return self._list(read, scores, sequences, prior)

    def _list(
        self,
        asked: Asked,
        likelihoods: npt.NDArray[np.float32],
        sequences: "Sequence[PairSequence]",
        prior: float | None,
    ) -> Reranked:
        refuse_non_finite(asked, likelihoods)
        ranking = self._ranking(asked, likelihoods)
        hits = ranked_hits(asked, likelihoods, ranking)
        kept = None
        if self._hints:
            tokens = list(map(self._scorer.hint_tokens, sequences))
            kept = [tokens[place] if place < len(tokens) else None for place in ranking.order]
        whole = Reranked(hits, kept, len(asked.head), prior)
        return with_probabilities(whole, self._config).first(self._k)

    def _ranking(self, asked: Asked, likelihoods: npt.NDArray[np.float32]) -> Ranking:
        first_stage = [*(one.score for one in asked.head), *(hit.first_stage_score for hit in asked.tail)]
        config = self._config
        ranking = rank_hits(
            likelihoods.tolist(), first_stage, config.fusion, depth=len(asked.head), below_depth=config.below_depth
        )
        if ranking.first_stage_unusable and asked.scored and not self._warned:
            self._warned = True
            _logger.warning(
                "query %r: its hits are ranked by the likelihood alone, because their first-stage scores are missing, "
                "not finite or all equal; other queries of this call whose scores are so are ranked the same way",
                asked.query,
            )
        return ranking
