"""A reranker in one line, without progress bars."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.config import ScoringConfig


def load_reranker(
    model: str | None = None,
    adapter: str | Path | None = None,
    *,
    passage_tokens: int | None = None,
    **settings: Any,
) -> QPeftReranker:
    """Load a reranker.

    Args:
        model: Name, hub id or folder of a model; None is the shipped model.
        adapter: Name, hub id or folder of an adapter; None is the model's own, if it has one.
        passage_tokens: Tokens of a passage that are read; None is the model's own number.
        **settings: Fields of `RerankConfig`, such as `depth` and `fusion`.

    Raises:
        QPeftError: As for `QPeftReranker.from_pretrained`. If the model has a name and is not on this machine, the
            message says how to get it.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    config = RerankConfig(scoring=ScoringConfig(passage_tokens=passage_tokens), **settings)
    return QPeftReranker.from_pretrained(model, adapter, config=config)
