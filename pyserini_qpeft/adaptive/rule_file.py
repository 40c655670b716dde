"""A stopping rule as a small JSON file: beside an adapter, or named in the record of a bare model."""

from typing import Any

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.number_files import read_numbers
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.companions import companion


def rule_of(model: Any) -> StoppingRule:
    """The stopping rule that comes with a loaded model, see `companion`.

    Raises:
        QPeftError: None comes with it, or the file is not valid.
    """
    file = None if model is None else companion(model, "stopping")
    if file is None:
        raise QPeftError(
            "adaptive depth needs a stopping rule, and none comes with this model: learn one on development queries "
            "(qpeft tune --stopping FILE), and name its file or put it as stopping.json into the folder of the adapter."
        )
    return read_rule(file)


def read_rule(path: PathLike) -> StoppingRule:
    """Read a stopping rule that `qpeft tune --stopping` has written.

    Raises:
        QPeftError: As for `read_numbers`.
    """
    return read_numbers(path, StoppingRule, writer="qpeft tune --stopping")
