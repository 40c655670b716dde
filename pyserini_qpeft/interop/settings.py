"""A reranker from settings of basic types, as libraries store them in JSON and YAML."""

from collections.abc import Mapping
from typing import Any

from pyserini_qpeft.reranking.config_file import as_rerank_config
from pyserini_qpeft.reranking.reranker import QPeftReranker


def load_reranker(
    model: str | None, adapter: str | None, device: str | None, dtype: str | None, config: Mapping[str, Any]
) -> QPeftReranker:
    """Load a reranker.

    Args:
        model: As for `QPeftReranker.from_pretrained`.
        adapter: As for `QPeftReranker.from_pretrained`.
        device: As for `QPeftReranker.from_pretrained`.
        dtype: As for `QPeftReranker.from_pretrained`.
        config: `depth`, `below_depth`, `fusion` and `windows`, as in the file that `qpeft tune` writes. What it does
            not name has its default.

    Raises:
        QPeftError: The model cannot be loaded, or a setting is unknown or has a wrong value.
    """
    return QPeftReranker.from_pretrained(model, adapter, config=as_rerank_config(config), device=device, dtype=dtype)
