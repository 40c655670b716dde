"""A ranker component of Haystack."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from pyserini_qpeft.interop import needs
from pyserini_qpeft.interop.settings import load_reranker

with needs("haystack"):
    from haystack import Document, component, default_from_dict, default_to_dict

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


@component
class HaystackRanker:
    """Reranks documents in a Haystack pipeline. A fusing reranker mixes in the scores of the documents.

    ``Pipeline.loads`` needs the name of this module to import it:
    ``allowed_modules=["pyserini_qpeft.interop.haystack"]``.

    Args:
        model: Name, hub id or folder of the model; None is the shipped model.
        adapter: Hub id or folder of the adapter, or "none".
        device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU if there is none.
        dtype: "float32", "bfloat16" or "float16"; None is the best for the device.
        config: Depth and fusion, as in the file that ``qpeft tune`` writes.
        top_k: How many documents are returned; None is all.
        meta_fields_to_embed: Fields of a document's `meta` that are read before its content, each on a line.

    Attributes:
        reranker: The loaded reranker; None before `warm_up`. Set it to share one model among components.
    """

    def __init__(
        self,
        model: str | None = None,
        adapter: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        config: Mapping[str, Any] | None = None,
        top_k: int | None = None,
        meta_fields_to_embed: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.adapter = adapter
        self.device = device
        self.dtype = dtype
        self.config = dict(config or {})
        self.top_k = top_k
        self.meta_fields_to_embed = list(meta_fields_to_embed)
        self.reranker: Reranker | None = None

    def warm_up(self) -> None:
        """Load the model, if it is not loaded yet."""
        if self.reranker is None:
            self.reranker = load_reranker(self.model, self.adapter, self.device, self.dtype, self.config)

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """Rerank documents.

        Args:
            query: The query.
            documents: In first-stage order. They are not changed.
            top_k: How many documents are returned; None is the component's own `top_k`.

        Returns:
            Under "documents", copies with their ids and new scores, best first. Equal scores keep their order.

        Raises:
            QPeftError: A document has no text.
        """
        self.warm_up()
        assert self.reranker is not None
        hits = [(document.id, self._text(document), document.score) for document in documents]
        ranked = self.reranker.rerank(query, hits, k=self.top_k if top_k is None else top_k)
        return {"documents": [replace(documents[hit.first_stage_rank - 1], score=float(hit.score)) for hit in ranked]}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Rerank documents in a thread, so that the event loop is not blocked; see `run`."""
        ranked: dict[str, list[Document]] = await asyncio.to_thread(self.run, query, documents, top_k)
        return ranked

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for a stored pipeline."""
        stored: dict[str, Any] = default_to_dict(
            self,
            model=self.model,
            adapter=self.adapter,
            device=self.device,
            dtype=self.dtype,
            config=self.config,
            top_k=self.top_k,
            meta_fields_to_embed=self.meta_fields_to_embed,
        )
        return stored

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build the component of a stored pipeline."""
        built: Self = default_from_dict(cls, data)
        return built

    def _text(self, document: Document) -> Any:
        fields = [str(document.meta[name]) for name in self.meta_fields_to_embed if document.meta.get(name)]
        return document.content if not fields else "\n".join([*fields, document.content or ""])
