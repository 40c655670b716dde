"""Scoring without a server, in a process of its own."""

import time
from collections.abc import Sequence

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig


class Offline:
    """Scores pairs, for a `WorkerProcess`.

    Args:
        settings: The model, and how pairs are scored.
    """

    def __init__(self, settings: tuple[ModelConfig, ScoringConfig]) -> None:
        from pyserini_qpeft.models.loading import load_model
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        model, scoring = settings
        self._scorer = LikelihoodScorer(*load_model(model), scoring)
        self.info = {
            "batch_tokens": self._scorer.row_scorer.budget.tokens,
            "dtype": str(self._scorer.model.dtype).removeprefix("torch."),
        }

    def score(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[float], float, float]:
        """The scores, the seconds that they took, and the seconds of processor time."""
        began, used = time.perf_counter(), time.process_time()
        scores = self._scorer.score(self._scorer.sequences(pairs))
        return [float(score) for score in scores], time.perf_counter() - began, time.process_time() - used
