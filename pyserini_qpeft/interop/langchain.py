"""LangChain's interfaces: a document compressor, and a cross encoder for LangChain's own rerankers."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from pyserini_qpeft.interop import needs

with needs("langchain"):
    from langchain_core.cross_encoders import BaseCrossEncoder
    from langchain_core.documents import BaseDocumentCompressor, Document

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.reranker import QPeftReranker


class LangChainCompressor(BaseDocumentCompressor):  # type: ignore[misc]
    """Reranks retrieved documents by the likelihood; `compress_documents` has an async twin, `acompress_documents`.

    Attributes:
        reranker: Any `Reranker`, such as a `QPeftReranker`; it scores the passages.
        top_n: How many documents are kept; None is all.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reranker: Any
    top_n: int | None = None

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Any = None) -> list[Document]:
        """Rerank documents.

        Args:
            documents: Their `page_content` is scored. They are not changed.
            query: The query.
            callbacks: No effect.

        Returns:
            Copies with their ids, best first, and the likelihood in `metadata["relevance_score"]`. Equal scores keep
            their order.

        Raises:
            QPeftError: The query is not text.
        """
        ranked = self.reranker.rerank(query, [document.page_content for document in documents], k=self.top_n)
        return [_copy(documents[hit.first_stage_rank - 1], hit.score) for hit in ranked]


class LangChainCrossEncoder(BaseCrossEncoder):  # type: ignore[misc]
    """A cross encoder for ``CrossEncoderReranker`` and the other classes of LangChain that take one.

    Args:
        reranker: Scores the passages.
    """

    def __init__(self, reranker: "QPeftReranker") -> None:
        self.reranker = reranker

    def score(self, text_pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the likelihood of each (query, passage) pair."""
        scores: list[float] = self.reranker.predict(list(text_pairs)).tolist()
        return scores


def _copy(document: Document, score: float) -> Document:
    metadata = {**copy.deepcopy(document.metadata), "relevance_score": score}
    return document.model_copy(update={"metadata": metadata})
