"""Training examples: questions with passages that answer them and passages that do not."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage of a question.

    Attributes:
        docid: Id of the passage; made from its place if the file has none.
        title: May be empty.
        body: The text without the title.
        text: Text that the model reads: `passage_text` of title and body.
        score: Score of the first stage; None if the passage was not retrieved or the score is unknown.
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
        qid: Id of the question.
        query: Text of the question.
        positives: At least one passage.
        negatives: Passages that do not answer the question, hardest first; none has the text of a positive.
        answers: Accepted answers, if the file has any.
    """

    qid: str
    query: str
    positives: tuple[TrainingPassage, ...]
    negatives: tuple[TrainingPassage, ...]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many distinct queries and positive passages of one set of examples are also in another set."""

    queries: int
    passages: int


def overlap(dev: Iterable[TrainingExample], train: Iterable[TrainingExample]) -> Overlap:
    """Counts queries and positive passages of dev that are also in train, without regard to case and blanks."""
    train = list(train)
    queries = {_bare(example.query) for example in train}
    passages = {_bare(passage.text) for example in train for passage in example.positives}
    dev = list(dev)
    return Overlap(
        len({_bare(example.query) for example in dev} & queries),
        len({_bare(passage.text) for example in dev for passage in example.positives} & passages),
    )


def fingerprint(examples: Iterable[TrainingExample]) -> str:
    """A digest of all texts in their order. A resumed run compares it to find examples that changed."""
    digest = hashlib.sha256()
    for example in examples:
        for passages in (example.positives, example.negatives):
            digest.update("\0".join([example.qid, example.query, *(passage.text for passage in passages)]).encode())
            digest.update(b"\1")
    return digest.hexdigest()


def _bare(text: str) -> str:
    return " ".join(text.lower().split())
