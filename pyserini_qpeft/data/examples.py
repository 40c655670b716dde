"""What adapters learn from: questions, each with passages that answer it and passages that do not."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage of a question.

    Attributes:
        docid: Its identifier; made of its place where the file has none.
        title: May be empty.
        body: The text without the title.
        text: What the model reads: title and body by `passage_text`.
        score: What the first stage gave it; None where it was not retrieved, or nobody knows.
    """

    docid: str
    title: str
    body: str
    text: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A question with its passages.

    Attributes:
        qid: Its identifier.
        query: Its text.
        positives: At least one passage.
        negatives: Passages that are no answer, hardest first; none of them has the text of a positive.
        answers: Accepted answers, where the file has any.
    """

    qid: str
    query: str
    positives: tuple[TrainingPassage, ...]
    negatives: tuple[TrainingPassage, ...]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two sets of examples share, as counts of the first's distinct queries and positive passages."""

    queries: int
    passages: int


def overlap(dev: Iterable[TrainingExample], train: Iterable[TrainingExample]) -> Overlap:
    """Counts dev queries, and positive passages of dev queries, that stand in train too (case and blanks aside)."""
    train = list(train)
    queries = {_bare(example.query) for example in train}
    passages = {_bare(passage.text) for example in train for passage in example.positives}
    dev = list(dev)
    return Overlap(
        len({_bare(example.query) for example in dev} & queries),
        len({_bare(passage.text) for example in dev for passage in example.positives} & passages),
    )


def fingerprint(examples: Iterable[TrainingExample]) -> str:
    """A digest of all texts and their order, by which a resumed run knows its examples again."""
    digest = hashlib.sha256()
    for example in examples:
        for passages in (example.positives, example.negatives):
            digest.update("\0".join([example.qid, example.query, *(passage.text for passage in passages)]).encode())
            digest.update(b"\1")
    return digest.hexdigest()


def _bare(text: str) -> str:
    return " ".join(text.lower().split())
