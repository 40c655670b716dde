"""Why a passage got its score: its hints, and the log-probability of each query token with and without them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        tokens: One entry for each query token, in order; their mean is `score`.
        hints: Retrieved hints, nearest first. Empty without hints, and for attended hints, which are not single tokens.
        tokens_cut: Passage tokens that were cut off, so that the model did not read them.
        read: How many characters of the passage the model read, from the first.
    """

    score: float
    tokens: tuple[TokenScore, ...]
    hints: tuple[Hint, ...]
    tokens_cut: int
    read: int


def explain(scorer: "LikelihoodScorer", query: str, text: str) -> Explanation:
    """Explains the score of one pair.

    Args:
        scorer: The scorer.
        query: The query.
        text: The text of the passage.
    """
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
