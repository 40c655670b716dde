"""What all plots share: size, colours, markers, and how a figure is written to a file.

Figures are not registered with pyplot. The colours are those of Okabe and Ito, and each series has a marker of its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyserini_qpeft.data.drafts import draft
from pyserini_qpeft.data.files import user_write_errors
from pyserini_qpeft.errors import QPeftError

if TYPE_CHECKING:
    import pandas as pd

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = color_sequences["okabe_ito"]
SERIES = (BLUE, RED, GREEN, PINK, SKY, ORANGE)
MARKERS = "osD^vPX"
# Line styles with gaps: where two curves coincide, the lower one is visible in the gaps of the upper.
LINES = ("-", (0, (4, 2)), "-.", (0, (1, 1.5)))


def new_figure() -> tuple[Figure, Axes]:
    """An empty figure, and its axes."""
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def draw_curves(axes: Axes, curves: Mapping[str, "pd.Series[float]"]) -> None:
    """Draw a line for each curve, its values sorted by the index."""
    for place, (name, curve) in enumerate(curves.items()):
        ordered = curve.sort_index()
        axes.plot(
            ordered.index.to_numpy(dtype=float),
            ordered.to_numpy(dtype=float),
            linestyle=LINES[place % len(LINES)],
            marker=MARKERS[place % len(MARKERS)],
            color=SERIES[place % len(SERIES)],
            markersize=5,
            label=name,
        )


def save_plot(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the suffix names (.png, .svg, .pdf), as a whole or not at all.

    Raises:
        QPeftError: Matplotlib cannot write the format, or the file cannot be written.
    """
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lstrip(".")
    if kind not in known:
        raise QPeftError(
            f"cannot write {path}: the name of a plot must end in one of {', '.join(f'.{suffix}' for suffix in known)}"
        )
    with user_write_errors(path), draft(path) as file:
        figure.savefig(file, format=kind, dpi=150)
