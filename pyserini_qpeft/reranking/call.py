"""One call of the reranker: from requests to likelihoods, and from likelihoods to final lists."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline, Pace, score_in_time
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.pair_scoring import PairScoring, as_pair
from pyserini_qpeft.reranking.probability import with_probabilities
from pyserini_qpeft.reranking.ranking import Ranking, rank_hits
from pyserini_qpeft.reranking.requests import Asked, Request, Reranked, ask, ranked_hits, refuse_non_finite
from pyserini_qpeft.reranking.scored import Scored

_logger = logging.getLogger(__name__)


class RerankCall:
    """One call of the reranker. It holds everything that changes during the call; no other call sees it.

    Args:
        scoring: Scores pairs.
        config: How scores become a ranking.
        options: What the call asks for. Its deadline is used by the reranker.
    """

    def __init__(self, scoring: PairScoring, config: RerankConfig, options: CallOptions) -> None:
        self._scoring = scoring
        self._config = config
        self._options = options
        self._places = count(1)
        self._warned = False

    def ask(self, request: Request) -> Asked:
        """Read the next request, with the texts of the hits that are rescored; see `requests.ask`."""
        config, options = self._config, self._options
        asked = ask(request, next(self._places), options.texts, config)
        hits = len(asked.head) + len(asked.tail)
        left_out = (hits if config.depth is None else min(hits, config.depth)) - len(asked.head)
        if left_out and options.on_scored is not None:
            options.on_scored(left_out)
        return asked

    def likelihoods(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Score pairs together.

        Args:
            pairs: (query, text) pairs.

        Returns:
            Their likelihoods, float32 `[len(pairs)]`.
        """
        return self.score([as_pair(query, text) for query, text in pairs]).likelihoods

    def score(self, pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        """Score pairs of query and candidate together, and count them; see `PairScoring.score`."""
        if not pairs:
            return Scored.joined([])
        start = time.perf_counter()
        scored = self._scoring.score(pairs, self._options.on_scored)
        report = self._options.report
        report.seconds += time.perf_counter() - start
        report.passages += len(scored.likelihoods)
        report.windows += sum(map(len, scored.windows))
        report.tokens += sum(scored.tokens)
        report.passages_cut += sum(tokens > 0 for tokens in scored.tokens_cut)
        report.tokens_cut += sum(scored.tokens_cut)
        return scored

    def priors(self, batch: Sequence[Asked], deadline: Deadline | None = None) -> dict[str, float]:
        """The likelihood of each query without a passage, of those that have hits to rescore, if it is needed.

        After the deadline no hit is rescored, so it is needed for none.
        """
        in_time = deadline is None or deadline.seconds_left() > 0
        needed = in_time and (self._options.hints or self._config.calibration is not None)
        queries = list(dict.fromkeys(asked.query for asked in batch if asked.head and needed))
        if not queries:
            return {}
        start = time.perf_counter()
        found, tokens = self._scoring.priors(queries)
        self._options.report.tokens += tokens
        self._options.report.seconds += time.perf_counter() - start
        return found

    def rank(self, batch: Sequence[Asked]) -> Iterator[Reranked]:
        """Score the pairs of a query batch together, and yield the list of each query in order.

        Raises:
            NonFiniteScoreError: The model's score of a hit is not finite.
        """
        scored = self.score([(asked.query, candidate) for asked in batch for candidate in asked.head])
        priors = self.priors(batch)
        start = 0
        for asked in batch:
            stop = start + len(asked.head)
            yield self.ranked(asked, scored.part(start, stop), priors)
            start = stop

    def rank_in_time(self, asked: Asked, deadline: Deadline, pace: Pace) -> Reranked:
        """Score the hits of one query until a deadline, see `score_in_time`; the others join the tail."""
        priors = self.priors([asked], deadline)
        read, scored = score_in_time(asked, self.score, deadline, pace)
        if self._options.on_scored is not None:
            self._options.on_scored(len(asked.head) - len(read.head))
        return self.ranked(read, scored, priors)

    def ranked(self, asked: Asked, scored: Scored, priors: Mapping[str, float]) -> Reranked:
        """The final list of one query.

        Args:
            asked: The query and its hits.
            scored: What was found about the hits of its head.
            priors: Likelihoods of queries without a passage, see `priors`.

        Raises:
            NonFiniteScoreError: The model's score of a hit is not finite.
        """
        refuse_non_finite(asked, scored.likelihoods)
        ranking = self._ranking(asked, scored.likelihoods)
        hits = ranked_hits(asked, scored.likelihoods, ranking, scored.windows)
        kept = None
        if self._options.hints:
            tokens = list(map(self._scoring.hint_tokens, scored.sequences))
            kept = [tokens[place] if place < len(tokens) else None for place in ranking.order]
        whole = Reranked(hits, kept, len(asked.head), priors.get(asked.query))
        return with_probabilities(whole, self._config).first(self._options.k)

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
