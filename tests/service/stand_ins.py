"""Stand-ins for the two worker processes: quick to start, with scores that a test can compute, and mishaps on request."""

import hashlib
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.records import ScoredWindow
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.service.scoring import ModelInfo, ScoringInfo, ScoringSettings, TurnScores
from pyserini_qpeft.service.searching import SearchHit

BATCH_TOKENS = 500


def score_of(model: str, query: str, text: str) -> float:
    """A score that belongs to this pair and model alone: an answer that was mixed up shows."""
    digest = hashlib.sha256(f"{model}\0{query}\0{text}".encode()).digest()
    return float(np.float32(-int.from_bytes(digest[:4], "big") / 2**32 * 5 - 0.1))


CALIBRATED = "calibrated"
"""The name of the model that has a calibration."""
PRIOR = -3.0


def probability_of(likelihood: float) -> float:
    """The probability that the calibrated model gives."""
    return 1 / (1 + math.exp(-2 * (likelihood - PRIOR)))


def windows_of(model: str, query: str, text: str) -> tuple[ScoredWindow, ...]:
    """Two windows of a text, of which the second is the better one."""
    half, best = len(text) // 2, score_of(model, query, text)
    return ScoredWindow(0, half, best - 1), ScoredWindow(half, len(text), best)


def begun(file: Path) -> Path:
    """The file that exists as soon as the worker waits for `file`."""
    return file.with_suffix(".begun")


def _sleep(text: str) -> None:
    """`slow SECONDS` takes so long; `until FILE` takes until the file exists."""
    if text.startswith("slow"):
        time.sleep(float(text.split()[1]))
    if text.startswith("until"):
        file = Path(text.split()[1])
        begun(file).touch()
        deadline = time.monotonic() + 300
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)


class Unreadable:
    """What the service cannot read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("no number",)


def scored_as(likelihoods: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Scored:
    """What is found about pairs with these likelihoods."""
    count = len(likelihoods)
    return Scored(likelihoods, [], [()] * count, [1] * count, [0] * count)


def _loaded(name: str, config: RerankConfig) -> RerankConfig:
    return replace(config, calibration=Calibration(2.0, 0.0)) if name == CALIBRATED else config


class StandInScoring:
    """Scores at once, unless a text says otherwise."""

    def __init__(self, settings: ScoringSettings) -> None:
        names = {model.model for model in settings.models.values()}
        if "broken" in names:
            raise QPeftError("the model 'broken' cannot be loaded.")
        if "too-large" in names:
            os._exit(9)
        if "endless" in names:
            time.sleep(600)
        self.configs = {
            name: _loaded(name, config.for_model(settings.models[name].model))
            for name, config in settings.configs.items()
        }
        self.info = ScoringInfo(
            {name: ModelInfo(BATCH_TOKENS, 256, one, settings.rules.get(name)) for name, one in self.configs.items()}, 0
        )

    def score(
        self, model: str, pairs: list[tuple[str, str]], text_tokens: list[int | None], queries: list[str]
    ) -> TurnScores:
        for query, text in pairs:
            _sleep(text)
            if text == "die":
                os._exit(9)
            if text.startswith("die once") and not os.path.exists(text.split()[2]):
                open(text.split()[2], "w").close()
                os._exit(9)
            if text == "fail":
                raise ValueError(f"a text: {text}")
            if text == "nan":
                return TurnScores(scored_as(np.full(len(pairs), np.nan, dtype=np.float32)), {})
            if query == "refuse":
                raise QPeftError("the query is too long for the model.")
        windows = self.configs[model].windows is not None
        scored = replace(
            scored_as(np.array([score_of(model, *pair) for pair in pairs], dtype=np.float32)),
            windows=[windows_of(model, *pair) if windows else () for pair in pairs],
            tokens=[10] * len(pairs),
            tokens_cut=[max(0, len(text) - 1024) for _, text in pairs],
        )
        return TurnScores(scored, dict.fromkeys(queries, PRIOR) if model == CALIBRATED else {})

    def explain(self, model: str, query: str, text: str) -> object:
        from pyserini_qpeft.reranking.explanation import Explanation, TokenScore

        if text == "unreadable":
            return Unreadable()
        _sleep(text)
        return Explanation(score_of(model, query, text), (TokenScore(query, -1.0, -2.0),), (), 0, len(text))


class StandInSearching:
    """Finds the same three documents for every query."""

    def __init__(self, indexes: dict[str, str]) -> None:
        self.info = {name: 3 for name in indexes}

    def search(self, index: str, query: str, k: int) -> list[SearchHit]:
        if query == "nothing":
            return []
        hits = [SearchHit(f"d{n}", 3.0 - n, f"title {n}", f"title {n}\ntext {n} of {index}") for n in range(3)]
        return hits[:k]
