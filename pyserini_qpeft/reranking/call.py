"""One call of the reranker: from requests to likelihoods, and from likelihoods to final lists."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Deadline, Pace, score_in_time
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.probability import with_probabilities
from pyserini_qpeft.reranking.progress import in_documents
from pyserini_qpeft.reranking.ranking import Ranking, rank_hits
from pyserini_qpeft.reranking.requests import Asked, Request, Reranked, ask, ranked_hits, refuse_non_finite
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.windows.cutting import WindowCutter
from pyserini_qpeft.windows.pairs import WindowedPairs

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_logger = logging.getLogger(__name__)


class RerankCall:
    """One call of the reranker. It holds everything that changes during the call; no other call sees it.

    Args:
        scorer: The model that scores pairs.
        config: How scores become a ranking.
        options: What the call asks for. Its deadline is used by the reranker.
    """

    def __init__(self, scorer: "LikelihoodScorer", config: RerankConfig, options: CallOptions) -> None:
        self._scorer = scorer
        self._config = config
        self._options = options
        self._report = options.report
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
        return self.score([(query, Candidate("", text, np.nan)) for query, text in pairs]).likelihoods

    def score(self, pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        """Score pairs of query and candidate together.

        Raises:
            QPeftError: A candidate is given as passages, and windows are off.
        """
        if not pairs:
            return Scored.joined([])
        start = time.perf_counter()
        scored = self._by_passage(pairs) if self._config.windows is None else self._by_window(pairs)
        self._report.seconds += time.perf_counter() - start
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

    def _by_passage(self, pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        given = next((one for _, one in pairs if one.parts), None)
        if given is not None:
            raise QPeftError(
                f"document {given.docid} is given as passages, which are scored as windows: set RerankConfig.windows."
            )
        sequences = self._scorer.sequences([(query, one.text) for query, one in pairs])
        report = self._report
        report.passages += len(sequences)
        report.tokens += sum(len(sequence) for sequence in sequences)
        report.passages_cut += sum(sequence.tokens_cut > 0 for sequence in sequences)
        report.tokens_cut += sum(sequence.tokens_cut for sequence in sequences)
        return Scored(self._scorer.score(sequences, self._options.on_scored), sequences, [()] * len(sequences))

    def _by_window(self, pairs: Sequence[tuple[str, Candidate]]) -> Scored:
        config = self._config.windows
        assert config is not None
        size = config.size or self._scorer.encoder.passage_tokens
        windowed = WindowedPairs(pairs, WindowCutter(config, size, self._scorer.token_spans), config)
        sequences = self._scorer.sequences(windowed.passages)
        on_scored = None if self._options.on_scored is None else in_documents(self._options.on_scored, windowed.starts)
        scores = self._scorer.score(sequences, on_scored)
        starts = windowed.starts
        unread = [
            document.tokens_left_out + sum(sequence.tokens_cut for sequence in sequences[start:stop])
            for document, start, stop in zip(windowed.documents, starts, starts[1:], strict=False)
        ]
        report = self._report
        report.passages += len(pairs)
        report.windows += len(sequences)
        report.tokens += sum(len(sequence) for sequence in sequences)
        report.passages_cut += sum(tokens > 0 for tokens in unread)
        report.tokens_cut += sum(unread)
        best = [sequences[place] for place in windowed.best(scores)]
        return Scored(windowed.combined(scores), best, windowed.windows(scores))

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
            tokens = list(map(self._scorer.hint_tokens, scored.sequences))
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
