"""Scoring of pairs of query and candidate: as passages, or through windows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.progress import in_documents
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.windows.config import WindowConfig
from pyserini_qpeft.windows.cutting import WindowCutter
from pyserini_qpeft.windows.pairs import WindowedPairs

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.scoring.sequences import PairSequence


class PairScoring(Protocol):
    """Scores the pairs of a call: `ModelScoring` with a model in this process, the service with one in another."""

    def score(self, pairs: Sequence[tuple[str, Candidate]], on_scored: "OnScored | None" = None) -> Scored:
        """Score pairs of query and candidate together, at least one.

        Args:
            pairs: Queries and candidates.
            on_scored: Is called with the number of pairs that were scored, after each batch of the model.

        Returns:
            What was found about the pairs; or about the first of them only, if there was no time for the others.
        """
        ...

    def priors(self, queries: Sequence[str]) -> tuple[dict[str, float], int]:
        """The likelihood of each query without a passage, and how many tokens were read for it.

        A scorer that finds the priors while it scores pairs may fill the dict in later calls of `score`.
        """
        ...

    def hint_tokens(self, sequence: "PairSequence") -> list[str]:
        """The tokens that became hints in a sequence, nearest first."""
        ...


class ModelScoring:
    """Scores pairs with a model.

    Args:
        scorer: The model.
        windows: How documents are scored through windows; None cuts their end.
    """

    def __init__(self, scorer: "LikelihoodScorer", windows: WindowConfig | None) -> None:
        self._scorer = scorer
        self._windows = windows

    def score(self, pairs: Sequence[tuple[str, Candidate]], on_scored: "OnScored | None" = None) -> Scored:
        """See `PairScoring.score`.

        Raises:
            QPeftError: A candidate is given as passages, and windows are off.
        """
        if self._windows is None:
            return self._by_passage(pairs, on_scored)
        return self._by_window(pairs, self._windows, on_scored)

    def priors(self, queries: Sequence[str]) -> tuple[dict[str, float], int]:
        """See `PairScoring.priors`."""
        sequences = self._scorer.sequences([(query, "") for query in queries])
        found = dict(zip(queries, map(float, self._scorer.score(sequences)), strict=True))
        return found, sum(map(len, sequences))

    def hint_tokens(self, sequence: "PairSequence") -> list[str]:
        """See `PairScoring.hint_tokens`."""
        return list(self._scorer.hint_tokens(sequence))

    def _by_passage(self, pairs: Sequence[tuple[str, Candidate]], on_scored: "OnScored | None") -> Scored:
        given = next((one for _, one in pairs if one.parts), None)
        if given is not None:
            raise QPeftError(
                f"document {given.docid} is given as passages, which are scored as windows: set RerankConfig.windows."
            )
        sequences = self._scorer.sequences([(query, one.text) for query, one in pairs])
        return Scored(
            self._scorer.score(sequences, on_scored),
            sequences,
            [()] * len(sequences),
            [len(sequence) for sequence in sequences],
            [sequence.tokens_cut for sequence in sequences],
        )

    def _by_window(
        self, pairs: Sequence[tuple[str, Candidate]], windows: WindowConfig, on_scored: "OnScored | None"
    ) -> Scored:
        size = windows.size or self._scorer.encoder.passage_tokens
        windowed = WindowedPairs(pairs, WindowCutter(windows, size, self._scorer.token_spans), windows)
        sequences = self._scorer.sequences(windowed.passages)
        counted = None if on_scored is None else in_documents(on_scored, windowed.starts)
        likelihoods = self._scorer.score(sequences, counted)
        starts = windowed.starts
        own = [sequences[start:stop] for start, stop in pairwise(starts)]
        return Scored(
            windowed.combined(likelihoods),
            [sequences[place] for place in windowed.best(likelihoods)],
            windowed.windows(likelihoods),
            [sum(map(len, one)) for one in own],
            [
                document.tokens_left_out + sum(sequence.tokens_cut for sequence in one)
                for document, one in zip(windowed.documents, own, strict=True)
            ],
        )


def as_pair(query: str, text: str) -> tuple[str, Candidate]:
    """A pair of a query and a text that has no docid and no first-stage score."""
    return query, Candidate("", text, np.nan)
