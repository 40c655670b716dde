"""Queries generated from a passage: a sentence of it, its rarer words, its title, or words in the form of a question.

They need no annotators. They teach the model that the words of a query come from its passage.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from recipes.base_model.sources import Passage

_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'“(A-Z0-9])|\n+")
QUESTION_STARTS = (
    "what",
    "what is",
    "what was",
    "what are",
    "what does",
    "what did",
    "what kind of",
    "what type of",
    "what was the name of",
    "which",
    "who",
    "who was",
    "when did",
    "when was",
    "in what year",
    "where is",
    "where did",
    "how",
    "how many",
    "how does",
    "how did",
    "how long",
    "why did",
    "why is",
)
HOW_STARTS = ("how do i", "how to", "how can i", "", "function to", "way to", "python")
_FUNCTION_WORDS = """
    a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it
    its may more most no not of on one or other our she so some such than that the their them then there these they
    this those to was we were what when where which who will with would you your also any all each
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


def words(text: str) -> list[str]:
    """Returns the words and numbers of a text in order, in lower case; underscores separate words."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """Returns the sentences and lines of a text."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


@dataclass(frozen=True, slots=True)
class Rarity:
    """Rarity of words: the negative logarithm of the share of documents that have the word."""

    documents: int
    counts: Counter[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Rarity:
        """Counts the documents that have each word."""
        counts: Counter[str] = Counter()
        documents = 0
        for text in texts:
            counts.update(set(words(text)))
            documents += 1
        return cls(documents, counts)

    def __call__(self, word: str) -> float:
        return math.log((self.documents + 1) / (self.counts[word] + 0.5))


def keywords(text: str, rarity: Rarity, random: Random) -> str | None:
    """Draws two to eight words of the text, rare ones more often, mostly in random order; None if it is too short."""
    distinct = [w for w in dict.fromkeys(words(text)) if w not in FUNCTION_WORDS and len(w) > 1]
    if len(distinct) < 4:
        return None
    count = min(random.randint(2, 8), len(distinct) // 2)
    # The words with the largest u^(1/weight) are a sample without replacement in proportion to the weights.
    drawn = sorted(distinct, key=lambda w: random.random() ** (1 / max(rarity(w), 0.1) ** 2), reverse=True)[:count]
    if random.random() < 0.4:
        drawn.sort(key=distinct.index)
    return " ".join(drawn)


def sentence_left_in(text: str, random: Random) -> str | None:
    """Draws a sentence of 5 to 25 words from the text; half of the time only its words, without punctuation."""
    fitting = [part for part in sentences(text) if 5 <= len(words(part)) <= 25]
    return _bare(random.choice(fitting), random) if fitting else None


def sentence_taken_out(text: str, random: Random) -> tuple[str, str] | None:
    """Draws a sentence of 5 to 25 words, returns it and the rest of the text; None if the rest is under 20 words."""
    parts = sentences(text)
    fitting = [index for index, part in enumerate(parts) if 5 <= len(words(part)) <= 25]
    if not fitting:
        return None
    chosen = random.choice(fitting)
    rest = " ".join(parts[:chosen] + parts[chosen + 1 :])
    return (_bare(parts[chosen], random), rest) if len(words(rest)) >= 20 else None


def question(text: str, random: Random) -> str | None:
    """Joins the first words of a question with words of a part of a sentence, without some of its function words.

    "In 1902 the company moved its works to Leeds." may become "when did the company moved works to leeds". This is not
    grammatical, but real questions also begin alike and go on with words of the passage.
    """
    fitting = [found for part in sentences(text) if len(found := words(part)) >= 6]
    if not fitting:
        return None
    chosen = random.choice(fitting)
    size = random.randint(3, 9)
    start = random.randrange(max(1, len(chosen) - size + 1))
    stretch = [w for w in chosen[start : start + size] if w not in FUNCTION_WORDS or random.random() < 0.6]
    if sum(w not in FUNCTION_WORDS for w in stretch) < 2:
        return None
    return " ".join([random.choice(QUESTION_STARTS), *stretch]) + random.choice(("?", ""))


def how_to(text: str, random: Random) -> str | None:
    """Returns the first sentence of a docstring as a question: "how do i split the pathname path"."""
    first = words(sentences(text)[0]) if sentences(text) else []
    if not 3 <= len(first) <= 25:
        return None
    first[0] = _imperative(first[0])
    kept = [w for w in first if w not in {"the", "a", "an", "given", "this"} or random.random() < 0.6]
    stop = random.randint(min(max(3, len(kept) // 2), len(kept)), len(kept))
    return f"{random.choice(HOW_STARTS)} {' '.join(kept[:stop])}".strip() + random.choice(("", "", "?"))


def title(passage: Passage) -> tuple[str, str] | None:
    """Returns the title as a query, and the text without the title."""
    if len(words(passage.title)) < 2 or len(words(passage.text)) < 15:
        return None
    return passage.title, passage.text


def _imperative(verb: str) -> str:
    if verb in {"return", "returns", "gets"}:
        return "get"
    if verb.endswith("sses") or verb.endswith("ches") or verb.endswith("xes"):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith(("ss", "us", "is")) and len(verb) > 4 else verb


def _bare(text: str, random: Random) -> str:
    return " ".join(words(text)) if random.random() < 0.5 else text
