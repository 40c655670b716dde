"""Which tokens of the vocabulary may give a hint, judged by the text they decode to."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

FILTERS = ("query", "stopwords", "letterless")

# The words that Lucene's EnglishAnalyzer leaves out, and those that questions are made of.
STOPWORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
        "who",
        "what",
        "when",
        "where",
        "which",
        "why",
        "how",
        "do",
        "does",
        "did",
        "can",
        "i",
        "you",
        "we",
        "s",
        "t",
    ]
)


@lru_cache(maxsize=8)
def barred_tokens(tokenizer: Any, filters: tuple[str, ...], size: int) -> npt.NDArray[np.bool_]:
    """Marks the tokens that never give a hint: special ones, and those a filter names.

    Tokens are judged by their decoded text, so that "▁the" and "Ġthe" are both the stop word "the", and letters are
    Unicode letters. The filter "query" depends on the query and is applied where hints are chosen.

    Args:
        tokenizer: A transformers tokenizer.
        filters: Any of "stopwords", "letterless", "query".
        size: Rows of the embedding table; ids that the tokenizer does not know are barred.

    Returns:
        Booleans of shape `[size]`, true where the token is barred.
    """
    barred = np.ones(size, dtype=bool)
    known = min(len(tokenizer), size)
    barred[:known] = False
    barred[[i for i in tokenizer.all_special_ids if i < size]] = True
    if "stopwords" in filters or "letterless" in filters:
        for i, text in enumerate(tokenizer.batch_decode([[i] for i in range(known)])):
            word = text.strip().lower()
            if ("stopwords" in filters and word in STOPWORDS) or (
                "letterless" in filters and not any(map(str.isalpha, word))
            ):
                barred[i] = True
    return barred
