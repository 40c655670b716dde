"""Why a passage got its score: its hints, and the log-probability of each query token with and without them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.data.records import ScoredWindow
from pyserini_qpeft.windows.config import WindowConfig
from pyserini_qpeft.windows.cutting import Window, WindowCutter
from pyserini_qpeft.windows.pairs import WindowedPairs

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


@dataclass(frozen=True, slots=True)
class Hint:
    """A passage token that became a hint.

    Attributes:
        token: The token as text.
        similarity: Its cosine similarity with the nearest query token.
        places: Where the token stands in the part of the passage that was read: (start, stop) in characters.
    """

    token: str
    similarity: float
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A query token, its natural-log probability, and the same in a prompt without hints."""

    token: str
    logprob: float
    logprob_without_hints: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The parts of one score.

    Attributes:
        score: Mean log-likelihood of the query's tokens, as `QPeftReranker.score` gives it.
        tokens: One entry for each query token, in order; their mean is `score`. Of a document that is scored through
            windows these are the tokens given its best window, and their mean is the likelihood of this window.
        hints: Retrieved hints, nearest first. Empty without hints, and for attended hints, which are not single tokens.
        tokens_cut: Passage tokens that were cut off, so that the model did not read them.
        read: How many characters of the passage the model read, from the first.
        windows: The windows of a document that is scored through them, in document order; else none.
        stages: Of a cascade: the explanation of each stage, first to last. All other attributes are those of the last
            stage.
    """

    score: float
    tokens: tuple[TokenScore, ...]
    hints: tuple[Hint, ...]
    tokens_cut: int
    read: int
    windows: tuple[ScoredWindow, ...] = ()
    stages: tuple["Explanation", ...] = ()

    @property
    def best_window(self) -> ScoredWindow | None:
        """The window with the highest likelihood, the first of equals; None without windows."""
        return max(self.windows, key=lambda window: window.likelihood, default=None)


def explain(scorer: "LikelihoodScorer", query: str, text: str, windows: WindowConfig | None = None) -> Explanation:
    """Explains the score of one pair.

    Args:
        scorer: The scorer.
        query: The query.
        text: The text of the passage or document.
        windows: How a document is scored through windows; None cuts its end.
    """
    if windows is None:
        return _of_passage(scorer, query, text)
    cutter = WindowCutter(windows, windows.size or scorer.encoder.passage_tokens, scorer.token_spans)
    pairs = WindowedPairs([(query, Candidate("", text, np.nan))], cutter, windows)
    likelihoods = scorer.score(scorer.sequences(pairs.passages))
    document, best = pairs.documents[0], int(np.argmax(likelihoods))
    explained = _of_passage(scorer, query, pairs.passages[best][1])
    return replace(
        explained,
        score=float(pairs.combined(likelihoods)[0]),
        hints=tuple(_in_document(hint, document.windows[best], text) for hint in explained.hints),
        tokens_cut=document.tokens_left_out + explained.tokens_cut,
        read=document.windows[-1].stop if document.tokens_left_out else len(text),
        windows=pairs.windows(likelihoods)[0],
    )


def _in_document(hint: Hint, window: Window, text: str) -> Hint:
    """The hint with its places in the document; `window` is a part of the document."""
    places = (
        (window.place(text, start), window.place(text, stop - 1) + 1) for start, stop in hint.places if start < stop
    )
    return replace(hint, places=tuple(places))


def _of_passage(scorer: "LikelihoodScorer", query: str, text: str) -> Explanation:
    sequence, plain = (scorer.sequences([(query, text)], hints=hints)[0] for hints in (True, False))
    logprobs = scorer.token_logprobs(sequence)
    without = scorer.token_logprobs(plain)
    decode = scorer.encoder.tokenizer.decode
    ids, spans = _read_tokens(scorer, text, sequence.tokens_cut)
    return Explanation(
        score=float(logprobs.mean()),
        tokens=tuple(
            TokenScore(decode([i]), float(with_), float(alone))
            for i, with_, alone in zip(sequence.scored, logprobs, without, strict=True)
        ),
        hints=tuple(
            Hint(token, float(similarity), tuple(span for i, span in zip(ids, spans, strict=True) if i == hint_id))
            for token, hint_id, similarity in zip(
                scorer.hint_tokens(sequence), sequence.hint_ids, sequence.hint_similarities, strict=True
            )
        ),
        tokens_cut=sequence.tokens_cut,
        read=spans[-1][1] if sequence.tokens_cut and spans else len(text),
    )


def _read_tokens(scorer: "LikelihoodScorer", text: str, tokens_cut: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The tokens of a passage that the model read: their ids, and their characters in `text` without blanks around."""
    passage = scorer.encoder.passages([text])[0]
    count = len(passage.spans) + passage.tokens_cut - tokens_cut
    before = len(text) - len(text.lstrip())
    spans = []
    for start, stop in (passage.spans[:count] + before).tolist():
        token = text[max(0, start) : stop]
        spans.append((stop - len(token.lstrip()), stop - len(token) + len(token.rstrip())))
    return passage.tokens[:count].tolist(), spans
