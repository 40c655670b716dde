"""What a reranker takes from the model that was loaded: its settings, its description, the folder of its adapter."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.calibration.calibration_file import calibration_of
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import loaded_adapter
from pyserini_qpeft.models.config import NO_ADAPTER
from pyserini_qpeft.models.registry import loaded_name, shown_name
from pyserini_qpeft.reranking.config import RerankConfig

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


def settle(config: RerankConfig, scorer: "LikelihoodScorer") -> RerankConfig:
    """The configuration with what comes with the model in the place of what was left open.

    Args:
        config: Its fusion weight and its calibration may be left open.
        scorer: Its settings of scoring become those of the configuration.

    Raises:
        QPeftError: A minimum probability is set, and neither the configuration nor the model has a calibration.
    """
    settled = replace(config.for_model(loaded_name(scorer.model)), scoring=scorer.config)
    if settled.calibration is None:
        settled = replace(settled, calibration=calibration_of(scorer.model))
    if settled.minimum_probability is not None and settled.calibration is None:
        raise QPeftError(
            "minimum_probability needs a calibration, and this model has none: fit one on development queries "
            "(qpeft tune --calibration)."
        )
    return settled


def describe(scorer: "LikelihoodScorer", config: RerankConfig) -> str:
    """Model, adapter, dtype, depth, fusion and windows, as `name=value`, separated by commas."""
    model = scorer.model
    name, loaded, fusion = loaded_name(model), loaded_adapter(model), config.fusion
    adapter = loaded.name if loaded else "of the model" if hasattr(model, "peft_config") else NO_ADAPTER
    parts = {
        "model": repr(shown_name(name)),
        "adapter": repr(adapter),
        "dtype": str(model.dtype).removeprefix("torch."),
        "depth": "all" if config.depth is None else config.depth,
        "fusion": "none" if fusion is None else f"{fusion.method} with weight {fusion.weight:g}",
    }
    if config.margin is not None:
        parts["margin"] = f"{config.margin:g}"
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
