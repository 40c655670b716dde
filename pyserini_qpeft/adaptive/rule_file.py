"""A stopping rule as a small JSON file: beside an adapter, or named in the record of a bare model."""

import json
from dataclasses import asdict, fields
from typing import Any

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.data.files import PathLike, atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.companions import companion

_WHOLE = ("k", "block", "queries")


def write_rule(path: PathLike, rule: StoppingRule) -> None:
    """Write a stopping rule.

    Raises:
        QPeftError: The file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(json.dumps(asdict(rule), indent=2) + "\n")


def rule_of(model: Any) -> StoppingRule:
    """The stopping rule that comes with a loaded model, see `companion`.

    Raises:
        QPeftError: None comes with it, or the file is not valid.
    """
    file = None if model is None else companion(model, "stopping")
    if file is None:
        raise QPeftError(
            "adaptive depth needs a stopping rule, and none comes with this model: learn one on development queries "
            "(qpeft tune --stopping FILE) and name its file."
        )
    return read_rule(file)


def read_rule(path: PathLike) -> StoppingRule:
    """Read a stopping rule that `qpeft tune --stopping` has written.

    Raises:
        QPeftError: No such file, broken JSON, or a setting that is unknown, missing or of a wrong value.
    """
    read = parse_json(read_whole(path), path)
    names = [one.name for one in fields(StoppingRule)]
    needed = {"intercept", "required", "read", "agreement", "threshold"}
    if not isinstance(read, dict) or not needed <= read.keys():
        raise QPeftError(f"{path}: expected a JSON object with {', '.join(sorted(needed))}, as qpeft tune writes")
    if unknown := sorted(read.keys() - set(names)):
        raise QPeftError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(names)}")
    for name, value in read.items():
        kind, words = (int, "a whole number") if name in _WHOLE else (int | float, "a number")
        if isinstance(value, bool) or not isinstance(value, kind):
            raise QPeftError(f"{path}: {name} must be {words}, and is {value!r}")
    try:
        return StoppingRule(**read)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None
