"""The interface of the library rerankers: a ranker with ``score``, ``rank`` and ``rank_async``."""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop import needs

with needs("rerankers"):
    from rerankers.documents import Document
    from rerankers.models.ranker import BaseRanker
    from rerankers.results import RankedResults, Result

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


class RerankersRanker(BaseRanker):  # type: ignore[misc]
    """A ranker that is used as one that ``rerankers.Reranker`` returns. It ranks by the likelihood.

    Args:
        reranker: Scores the passages.
        verbose: No effect: nothing is printed.
    """

    def __init__(self, reranker: "Reranker", verbose: int = 0) -> None:
        self.reranker = reranker
        self.verbose = verbose

    def score(self, query: str, doc: str) -> float:
        """Return the likelihood of a query given one passage.

        Raises:
            QPeftError: The reranker reads no hit (depth 0), or drops this one for its low probability.
        """
        likelihood = next((hit.likelihood for hit in self.reranker.rerank(query, [doc])), None)
        if likelihood is None:
            raise QPeftError(
                "the reranker gives this passage no likelihood: set a depth above 0 and no minimum_probability."
            )
        return likelihood

    def rank(
        self,
        query: str,
        docs: str | Document | Sequence[str | Document],
        doc_ids: Sequence[str | int] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> RankedResults:
        """Rank passages by their likelihoods.

        Args:
            query: The query.
            docs: Passages, as strings or as ``rerankers.Document``; or a single one. They are not changed.
            doc_ids: An id for each passage. The default is the id that a ``Document`` has, or else its place, from 0.
            metadata: A mapping for each passage, in place of the one that a ``Document`` has.

        Returns:
            A result for each passage, best first, with ranks from 1. Equal scores keep their order.

        Raises:
            QPeftError: The query or a passage is not text.
            ValueError: `doc_ids` or `metadata` differ in length from `docs`.
        """
        documents = _documents([docs] if isinstance(docs, str | Document) else docs, doc_ids, metadata)
        texts = [as_text(document.text, f"text {place}") for place, document in enumerate(documents, start=1)]
        ranked = self.reranker.rerank(query, texts)
        results = [
            Result(document=documents[hit.first_stage_rank - 1], score=hit.score, rank=hit.rank) for hit in ranked
        ]
        return RankedResults(results=results, query=query, has_scores=True)


def _documents(
    docs: Sequence[str | Document],
    doc_ids: Sequence[str | int] | None,
    metadata: Sequence[Mapping[str, Any]] | None,
) -> list[Document]:
    """Copy the passages. The library's own ``prep_docs`` writes ids into the caller's documents and fails on []."""
    documents = [copy.deepcopy(doc) if isinstance(doc, Document) else Document(doc) for doc in docs]
    for place, document in enumerate(documents):
        if document.doc_id is None:
            document.doc_id = place
    if doc_ids is not None:
        for document, doc_id in zip(documents, doc_ids, strict=True):
            document.doc_id = doc_id
    if metadata is not None:
        for document, fields in zip(documents, metadata, strict=True):
            document.metadata = dict(fields)
    return documents
