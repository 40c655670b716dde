"""A node postprocessor of LlamaIndex."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop import needs
from pyserini_qpeft.interop.settings import load_reranker

with needs("llama-index"):
    from llama_index.core.bridge.pydantic import Field, PrivateAttr
    from llama_index.core.callbacks import CBEventType, EventPayload
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker


class LlamaIndexReranker(BaseNodePostprocessor):  # type: ignore[misc]
    """Reranks retrieved nodes. The model is loaded when it is first used, so that the settings can be stored.

    A fusing reranker mixes in the scores of the nodes. ``to_dict`` and ``from_dict`` store the settings.

    Args:
        reranker: A loaded reranker; without it, one is loaded from the settings.
        **settings: The fields of the class.
    """

    model: str | None = Field(default=None, description="Name, hub id or folder of the model.")
    adapter: str | None = Field(default=None, description="Hub id or folder of the adapter.")
    device: str | None = Field(default=None, description="Such as cpu or cuda:0.")
    dtype: str | None = Field(default=None, description="float32, bfloat16 or float16.")
    config: dict[str, Any] = Field(default_factory=dict, description="Depth and fusion, as qpeft tune writes them.")
    top_n: int | None = Field(default=None, description="How many nodes are returned (default: all).")
    _reranker: Any = PrivateAttr(default=None)

    def __init__(self, reranker: "Reranker | None" = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._reranker = reranker

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex stores."""
        return "QPeftLlamaIndexReranker"

    @property
    def reranker(self) -> "Reranker":
        """The reranker. It is loaded when it is first asked for."""
        if self._reranker is None:
            self._reranker = load_reranker(self.model, self.adapter, self.device, self.dtype, self.config)
        loaded: Reranker = self._reranker
        return loaded

    def _postprocess_nodes(
        self, nodes: Sequence[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise QPeftError("nodes are reranked for a query: give query_str or query_bundle.")
        query = query_bundle.query_str
        hits = [(node.node.node_id, node.node.get_content(MetadataMode.EMBED), node.score) for node in nodes]
        about = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model or self.class_name(),
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=about) as event:
            ranked = self.reranker.rerank(query, hits, k=self.top_n)
            reranked = [
                NodeWithScore(node=nodes[hit.first_stage_rank - 1].node, score=float(hit.score)) for hit in ranked
            ]
            event.on_end(payload={EventPayload.NODES: reranked})
        return reranked
