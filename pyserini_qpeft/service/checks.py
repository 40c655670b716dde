"""What is checked of a request before it is worked on: its query and its size."""

from collections.abc import Sequence

from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.config import LimitsConfig
from pyserini_qpeft.service.errors import too_large
from pyserini_qpeft.service.metrics import Metrics


def read_query(query: str) -> str:
    """The query; lone surrogates become U+FFFD.

    Raises:
        QPeftError: It is empty.
    """
    query = as_text(query, "the query")
    if not query.strip():
        raise QPeftError("the query is empty: there is nothing to score.")
    return query


def check_size(limits: LimitsConfig, metrics: Metrics, queries: Sequence[str], texts: Sequence[str]) -> int:
    """The characters of a request.

    Args:
        limits: How large it may be.
        metrics: Counts refused requests.
        queries: Its queries.
        texts: Its documents.

    Raises:
        ServiceError: There are too many documents or characters.
    """
    if len(texts) > limits.documents:
        metrics.refused("documents")
        raise too_large(
            f"{len(texts)} documents are more than the {limits.documents} of one request: send several requests.",
            "documents",
        )
    characters = sum(map(len, queries)) + sum(map(len, texts))
    if characters > limits.characters:
        metrics.refused("characters")
        raise too_large(
            f"{characters} characters are more than the {limits.characters} of one request: send shorter or fewer "
            "documents.",
            "characters",
        )
    return characters
