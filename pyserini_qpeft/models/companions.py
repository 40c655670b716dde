"""The small files that come with a model: beside its adapter, or named in the record of a bare model."""

from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.models.adapters import loaded_adapter
from pyserini_qpeft.models.registry import find_model, loaded_name


def companion(model: Any, kind: Literal["calibration", "stopping"]) -> Path | None:
    """The file of this kind that comes with a loaded model.

    It is `KIND.json` in the folder of the model's adapter. For a bare model it is the file that the model's record
    names. A file of the bare model does not hold for the model with an adapter, which has other likelihoods.

    Args:
        model: A model that this package has loaded.
        kind: What the file says: probabilities of relevance, or when reading stops (adaptive depth).

    Returns:
        The file, or None if there is none.
    """
    adapter = loaded_adapter(model)
    if adapter is not None:
        file = adapter.folder / f"{kind}.json"
        return file if file.is_file() else None
    record = None if hasattr(model, "peft_config") else find_model(loaded_name(model))
    named: str | None = None if record is None else getattr(record, kind)
    return None if named is None else Path(named)
