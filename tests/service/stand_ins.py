"""Stand-ins for the two worker processes: quick to start, with scores that a test can compute, and mishaps on request."""

import hashlib
import os
import time
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.scoring import Scored, ScoringInfo, ScoringSettings
from pyserini_qpeft.service.searching import SearchHit

BATCH_TOKENS = 500


def score_of(model: str, query: str, text: str) -> float:
    """A score that belongs to this pair and model alone: an answer that was mixed up shows."""
    digest = hashlib.sha256(f"{model}\0{query}\0{text}".encode()).digest()
    return -int.from_bytes(digest[:4], "big") / 2**32 * 5 - 0.1


def probability_of(text: str) -> float:
    """The probability that a calibrated model gives."""
    return 1 / (1 + len(text))


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


class StandInScoring:
    """Scores at once, unless a text says otherwise."""

    def __init__(self, settings: ScoringSettings) -> None:
        if settings.model.model == "broken":
            raise QPeftError("the model 'broken' cannot be loaded.")
        if settings.model.model == "too-large":
            os._exit(9)
        if settings.model.model == "endless":
            time.sleep(600)
        self.info = ScoringInfo(BATCH_TOKENS, 256, "cpu", "float32", 0)

    def score(self, model: str, pairs: list[tuple[str, str]], text_tokens: list[int | None]) -> Scored:
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
                return Scored([float("nan")] * len(pairs), [1] * len(pairs), [False] * len(pairs))
            if query == "refuse":
                raise QPeftError("the query is too long for the model.")
        return Scored(
            [score_of(model, *pair) for pair in pairs],
            [10] * len(pairs),
            [len(text) > 1024 for _, text in pairs],
            [probability_of(text) for _, text in pairs] if pairs[0][0] == "calibrated" else None,
        )

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
