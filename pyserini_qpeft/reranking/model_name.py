"""The name of a loaded model, by which its fusion weight is known."""

from pathlib import Path
from typing import Any

_SHIPPED = Path(__file__).parents[1] / "resources" / "model"


def model_name(model: Any) -> str | None:
    """Hub id or folder that a model was loaded from; None for the shipped model, "" for one that was not loaded."""
    name = str(getattr(model.config, "name_or_path", ""))
    return None if name == str(_SHIPPED) else name
