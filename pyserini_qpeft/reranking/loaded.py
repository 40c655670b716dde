"""What a reranker consists of, in words, and the adapter that it was loaded with."""

from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import loaded_adapter
from pyserini_qpeft.models.config import NO_ADAPTER
from pyserini_qpeft.models.registry import find_model, loaded_name
from pyserini_qpeft.reranking.config import RerankConfig

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


def describe(scorer: "LikelihoodScorer", config: RerankConfig) -> str:
    """Model, adapter, dtype, depth, fusion and windows, as `name=value`, separated by commas."""
    model = scorer.model
    name, loaded, fusion = loaded_name(model), loaded_adapter(model), config.fusion
    record = find_model(name)
    adapter = loaded.name if loaded else "of the model" if hasattr(model, "peft_config") else NO_ADAPTER
    parts = {
        "model": repr(record.name if record else name),
        "adapter": repr(adapter),
        "dtype": str(model.dtype).removeprefix("torch."),
        "depth": "all" if config.depth is None else config.depth,
        "fusion": "none" if fusion is None else f"{fusion.method} with weight {fusion.weight:g}",
    }
    if config.windows is not None:
        windows = config.windows
        size = windows.size or scorer.encoder.passage_tokens
        parts["windows"] = f"{windows.combine} of windows of {size} tokens"
    return ", ".join(f"{name}={value}" for name, value in parts.items())


def adapter_to_push(scorer: "LikelihoodScorer") -> Path:
    """The folder of the adapter that the model was loaded with.

    Raises:
        QPeftError: There is none.
    """
    loaded = loaded_adapter(scorer.model)
    if loaded is None:
        raise QPeftError("there is no adapter to push: load the reranker with an adapter's folder (adapter=...).")
    return loaded.folder
