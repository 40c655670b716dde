"""The name of a loaded model, by which its fusion weight is known."""

from typing import Any


def model_name(model: Any) -> str:
    """Name, hub id or folder that a model was loaded from; empty for a model that was not loaded."""
    return str(getattr(model.config, "name_or_path", ""))
