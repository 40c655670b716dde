"""A calibration as a small JSON file: in an adapter's folder, or named in the record of a bare model."""

from typing import Any

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.number_files import read_numbers
from pyserini_qpeft.models.companions import companion


def read_calibration(path: PathLike) -> Calibration:
    """Read a calibration that `qpeft tune --calibration` has written.

    Raises:
        QPeftError: As for `read_numbers`.
    """
    return read_numbers(path, Calibration, writer="qpeft tune --calibration")


def calibration_of(model: Any) -> Calibration | None:
    """The calibration that comes with a loaded model, or None; see `companion`.

    Raises:
        QPeftError: The file is not valid.
    """
    file = companion(model, "calibration")
    return None if file is None else read_calibration(file)
