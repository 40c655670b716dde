"""What is measured, and with which requests."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.generated import generate


@dataclass(frozen=True)
class LoadOptions:
    """What is measured."""

    model: str = field(default="tiny", metadata={"help": "the model"})
    dtype: str | None = field(default=None, metadata={"help": "its dtype (default: chosen for the device)"})
    clients: tuple[int, ...] = field(default=(1, 8, 64), metadata={"help": "numbers of clients"})
    seconds: float = field(default=20.0, metadata={"help": "time of each number of clients in a round"})
    rounds: int = field(default=3, metadata={"help": "rounds"})
    requests: int = field(default=60, metadata={"help": "different requests"})
    documents: int = field(default=20, metadata={"help": "documents in a request"})
    index: Path | None = field(default=None, metadata={"help": "Lucene index to serve too, for start and memory"})
    seed: int = field(default=1, metadata={"help": "seed of the texts"})
    output: Path | None = field(default=None, metadata={"help": "JSON file to write"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its right answer.

    Attributes:
        query: The query.
        texts: The documents.
        scores: Their likelihoods, computed offline.
    """

    query: str
    texts: list[str]
    scores: list[float]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(query, document) texts."""
        return [(self.query, text) for text in self.texts]


def questions(options: LoadOptions) -> list[tuple[str, list[str]]]:
    """Queries with their documents. No two share a document, because offline scoring would read it once."""
    from transformers import AutoTokenizer

    from pyserini_qpeft.models.loading import SHIPPED_MODEL

    draws = Random(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_MODEL)
    texts = list(generate(tokenizer, 1, options.requests * options.documents)[0][1])
    places = range(0, len(texts), options.documents)
    # The query quotes one of its documents, and no two are the same.
    return [
        (" ".join(draws.choice(texts[at : at + options.documents]).split()[:8]), texts[at : at + options.documents])
        for at in places
    ]
