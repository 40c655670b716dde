"""All plots of an evaluation."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from pyserini_qpeft.evaluation import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pyserini_qpeft.evaluation.plots.evaluation import Evaluation


def evaluation_figures(evaluation: "Evaluation") -> "Iterator[tuple[str, Figure]]":
    """Yield the figures of every plot in `plots.PLOTS`, each with its name."""
    for name in plots.PLOTS:
        yield from import_module(f"{plots.__name__}.{name}").figures(evaluation)
