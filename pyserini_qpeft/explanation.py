"""Why a passage got its score: the hints it gave, and what each query token got with and without them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hint:
    """A passage token that became a hint, and its cosine with the nearest query token."""

    token: str
    similarity: float


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A query token, its natural-log probability, and what it would have been without hints."""

    token: str
    logprob: float
    logprob_without_hints: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The parts of one score.

    Attributes:
        score: Mean log-likelihood of the query's tokens, as `QPeftReranker.score` gives it.
        tokens: One entry for each query token, in order; their mean is `score`.
        hints: Retrieved hints, nearest first; empty for attended hints, which are no single tokens, and without hints.
        tokens_cut: Passage tokens that were not read.
    """

    score: float
    tokens: tuple[TokenScore, ...]
    hints: tuple[Hint, ...]
    tokens_cut: int
