"""Models by name: where the weights of a name are, and the settings that belong to them.

The names of the package are in `resources/models.yaml`. Users add their own in a file of the same form: the one that
the environment variable `QPEFT_MODELS` names, or else `models.yaml` in the user's configuration folder
(`~/.config/pyserini-qpeft` on Linux). A name always means the same weights, so a user's file cannot redefine a name of
the package.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.record import ModelRecord, read_records

RESOURCES = Path(__file__).parents[1] / "resources"
DEFAULT_MODEL = "tiny"
"""What a model of None means."""

UNKNOWN_FUSION_WEIGHT = 0.5
"""The fusion weight of a model that has no record: likelihood and first stage count the same."""

DEFAULT_PASSAGE_TOKENS = 256
"""Tokens of a passage that are read by a model that has no record."""


def models() -> dict[str, ModelRecord]:
    """All models that have a name: those of the package, then those of the user's file.

    Raises:
        QPeftError: The user's file is not valid, or defines a name of the package.
    """
    return _models(user_file())


def find_model(model: str | None) -> ModelRecord | None:
    """The record of a model.

    Args:
        model: A name, or the hub id or folder that a record's weights come from; None is the shipped model.

    Returns:
        The record, or None for a model that has no name.
    """
    if model is None:
        return models()[DEFAULT_MODEL]
    known = models()
    if model in known:
        return known[model]
    return next((record for record in known.values() if model in (record.hub, record.folder)), None)


def fusion_weight(model: str | None) -> float:
    """The share of the likelihood in the fused score, 0 to 1, that was chosen for a model on development queries.

    Args:
        model: As for `find_model`.

    Returns:
        The weight in the model's record; `UNKNOWN_FUSION_WEIGHT` if the model has no record.
    """
    record = find_model(model)
    return UNKNOWN_FUSION_WEIGHT if record is None else record.fusion_weight


def passage_tokens(model: str | None) -> int:
    """How many tokens of a passage a model reads if nothing else is asked for.

    Args:
        model: As for `find_model`.

    Returns:
        The number in the model's record; `DEFAULT_PASSAGE_TOKENS` if it has none.
    """
    record = find_model(model)
    return DEFAULT_PASSAGE_TOKENS if record is None else record.passage_tokens or DEFAULT_PASSAGE_TOKENS


def loaded_name(model: Any) -> str:
    """Name, hub id or folder that a loaded model came from; empty for a model that was not loaded."""
    return str(getattr(model.config, "name_or_path", ""))


def shown_name(model: str) -> str:
    """The name of a model as users know it: that of its record, or its hub id or folder if it has no record."""
    record = find_model(model)
    return model if record is None else record.name


def user_file() -> Path:
    """The file in which a user names models; it need not exist."""
    if named := os.environ.get("QPEFT_MODELS"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("pyserini-qpeft", appauthor=False) / "models.yaml"


@cache
def _models(own: Path) -> dict[str, ModelRecord]:
    shipped = read_records(RESOURCES / "models.yaml")
    if not own.is_file():
        if "QPEFT_MODELS" in os.environ:
            raise QPeftError(f"QPEFT_MODELS names {str(own)!r}, and there is no such file.")
        return shipped
    added = read_records(own)
    if taken := sorted(shipped.keys() & added.keys()):
        raise QPeftError(f"{own}: the name {taken[0]!r} belongs to a model of the package; choose another name.")
    return shipped | added
