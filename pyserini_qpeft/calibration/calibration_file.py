"""A calibration as a small JSON file: in an adapter's folder, or named in the record of a bare model."""

import json
from dataclasses import asdict, fields
from typing import Any

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.files import PathLike, atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.companions import companion


def write_calibration(path: PathLike, calibration: Calibration) -> None:
    """Write a calibration.

    Raises:
        QPeftError: The file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(json.dumps(asdict(calibration), indent=2) + "\n")


def read_calibration(path: PathLike) -> Calibration:
    """Read a calibration that `qpeft tune --calibration` has written.

    Raises:
        QPeftError: No such file, broken JSON, or a setting that is unknown, missing or of a wrong value.
    """
    read = parse_json(read_whole(path), path)
    names = [one.name for one in fields(Calibration)]
    if not isinstance(read, dict) or not {"slope", "intercept"} <= read.keys():
        raise QPeftError(f"{path}: expected a JSON object with slope and intercept, as qpeft tune --calibration writes")
    if unknown := sorted(read.keys() - set(names)):
        raise QPeftError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(names)}")
    for name, value in read.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise QPeftError(f"{path}: {name} must be a number, and is {value!r}")
    try:
        return Calibration(**read)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None


def calibration_of(model: Any) -> Calibration | None:
    """The calibration that comes with a loaded model, or None; see `companion`.

    Raises:
        QPeftError: The file is not valid.
    """
    file = companion(model, "calibration")
    return None if file is None else read_calibration(file)
