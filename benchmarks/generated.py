"""Generated queries and passages with the lengths of NFCorpus; each word is one token."""

from typing import Any

import numpy as np

# Quantiles (in steps of 5 %) of the lengths of NFCorpus's passages and test queries, in tokens of the shipped model.
_PASSAGE_TOKENS = (28, 172, 215, 248, 277, 301, 322, 341, 357, 376, 392, 408, 425, 439, 455, 474, 495, 520, 554, 619)
_QUERY_TOKENS = (1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 9, 10, 11, 13)
_PAIRS_PER_PASSAGE = 9
_SENTENCE = 17  # words


def generate(tokenizer: Any, queries: int, depth: int) -> list[tuple[str, tuple[str, ...]]]:
    """Generates queries, each with `depth` passages from a pool; queries share passages as often as in NFCorpus.

    Half of a query's words are in its first passage. The result depends on the arguments only.

    Returns:
        (query, passages) for each query.
    """
    rng = np.random.default_rng(1)
    words = _words(tokenizer)
    pool = [_passage(words, rng) for _ in range(max(depth, queries * depth // _PAIRS_PER_PASSAGE))]
    topics = []
    for _ in range(queries):
        passages = tuple(pool[place] for place in rng.choice(len(pool), depth, replace=False))
        length = _length(_QUERY_TOKENS, rng)
        own = list(dict.fromkeys(passages[0].replace(".", "").lower().split()))[: (length + 1) // 2]
        topics.append((" ".join([*own, *_draw(words, length - len(own), rng)]), passages))
    return topics


def _passage(words: list[str], rng: np.random.Generator) -> str:
    drawn = _draw(words, _length(_PASSAGE_TOKENS, rng), rng)
    sentences = [drawn[start : start + _SENTENCE] for start in range(0, len(drawn), _SENTENCE)]
    return " ".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences)


def _words(tokenizer: Any) -> list[str]:
    """Returns the words that are one token in the middle of a sentence."""
    texts = (tokenizer.decode([i]) for i in range(len(tokenizer)))
    return [text[1:] for text in texts if text.startswith(" ") and len(text) > 3 and text[1:].isalpha()]


def _draw(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Draws words; the first in the list are the most frequent, as in natural language."""
    weights = 1.0 / (np.arange(len(words)) + 10.0)
    return [words[place] for place in rng.choice(len(words), count, p=weights / weights.sum())]


def _length(twentieths: tuple[int, ...], rng: np.random.Generator) -> int:
    places = np.linspace(0, 1, len(twentieths))
    return max(1, round(float(np.interp(rng.random(), places, twentieths))))
