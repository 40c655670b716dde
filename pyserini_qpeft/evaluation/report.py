"""Tables, plots and notes as one HTML file that needs no other file."""

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyserini_qpeft.evaluation.tables import Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
caption, h2 { text-align: left; font-weight: 600; }
th, td { padding: 0.25rem 0.7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #555; }
td.word, th.word { text-align: left; }
figure { display: inline-block; margin: 0.5rem 0; }
img { max-width: 100%; width: 34rem; }
.notes { font-size: 0.9rem; color: #444; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for section in sections %}
<h2>{{ section.title }}</h2>
<div class="wide"><table>
<thead><tr>{% for head in section.columns %}<th scope="col" class="{{ section.align(head) }}">{{ head }}</th>\
{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td class="{{ section.align(section.columns[loop.index0]) }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}
{% if plots %}<h2>Plots</h2>{% endif %}
{% for name, image in plots %}
<figure><img alt="{{ name }}" src="data:image/png;base64,{{ image }}"></figure>
{% endfor %}
<h2>Notes</h2>
<ul class="notes">
{% for note in notes %}<li>{{ note }}</li>
{% endfor %}</ul>
</body>
</html>
"""


def to_html(
    title: str,
    sections: Sequence[Section],
    notes: Sequence[str],
    figures: Iterable[tuple[str, "Figure"]] = (),
) -> str:
    """Return the page; text from runs is escaped, and plots are included as PNG.

    Args:
        title: Title of the page.
        sections: Tables, see `tables.sections`.
        notes: Notes, see `tables.notes`.
        figures: Plots with their names.
    """
    from jinja2 import Environment

    plots = [(figure.axes[0].get_title() or name, _png(figure)) for name, figure in figures]
    page = Environment(autoescape=True, trim_blocks=True).from_string(_TEMPLATE)
    return page.render(title=title, sections=sections, notes=notes, plots=plots)


def _png(figure: "Figure") -> str:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=130)
    return base64.b64encode(drawn.getvalue()).decode("ascii")
