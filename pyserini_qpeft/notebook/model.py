"""A reranker in one line, with a model that is on this machine."""

import logging
from pathlib import Path
from typing import Any

from pyserini_qpeft.models.registry import DEFAULT_MODEL, find_model
from pyserini_qpeft.models.source import how_to_get, is_here
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.config import ScoringConfig

_logger = logging.getLogger(__name__)


def load_reranker(
    model: str | None = None,
    adapter: str | Path | None = None,
    *,
    passage_tokens: int | None = None,
    **settings: Any,
) -> QPeftReranker:
    """Load a reranker. If the model has a name and is not on this machine, the shipped model is loaded and a warning
    says how to get the other.

    Args:
        model: Name, hub id or folder of a model; None is the shipped model.
        adapter: Name, hub id or folder of an adapter; None is the model's own, if it has one.
        passage_tokens: Tokens of a passage that are read; None is the model's own number.
        **settings: Fields of `RerankConfig`, such as `depth` and `fusion`.

    Raises:
        QPeftError: As for `QPeftReranker.from_pretrained`.
    """
    from transformers.utils import logging as transformers_logging

    record = find_model(model)
    if record is not None and record.name != DEFAULT_MODEL and not is_here(record):
        _logger.warning(
            "%s is not on this machine (%s), so the shipped model %s is used.",
            *(record.name, how_to_get(record), DEFAULT_MODEL),
        )
        model, adapter = None, None
    transformers_logging.disable_progress_bar()
    config = RerankConfig(scoring=ScoringConfig(passage_tokens=passage_tokens), **settings)
    return QPeftReranker.from_pretrained(model, adapter, config=config)
