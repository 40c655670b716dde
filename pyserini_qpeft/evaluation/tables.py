"""A comparison as tables for people: for the console, Markdown and LaTeX."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyserini_qpeft.errors import counted
from pyserini_qpeft.evaluation.comparison import Comparison
from pyserini_qpeft.evaluation.coverage import remarks
from pyserini_qpeft.evaluation.significance import FEWEST_QUERIES, Difference, SignificanceConfig

SIGNIFICANT = "*"

_WORDS = {"run", "baseline", "column", "measure", "queries"}

CONVENTIONS = (
    "As in trec_eval: hits are ordered by score in single precision, equal scores by docid, descending; judged queries "
    "that are missing from a run count as 0; means are over all judged queries."
)


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a report.

    Attributes:
        title: What the table shows.
        columns: Heads of the columns.
        rows: Cells as text, one for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def align(self, column: str) -> str:
        """Return how the cells of a column are aligned: `word` (left) or `number` (right)."""
        return "word" if column in _WORDS else "number"


def sections(comparison: Comparison) -> list[Section]:
    """Return the tables of a comparison: measures, differences from the baseline, answers and probabilities."""
    tables = [_measures(comparison)]
    if comparison.differences:
        tables.append(_differences(comparison))
    if comparison.answers:
        tables += [_answers(comparison, kind) for kind in ("R", "H")]
    if comparison.reliability:
        tables.append(_reliability(comparison))
    return tables


def notes(comparison: Comparison) -> list[str]:
    """Return the notes below the tables: conventions, tests, and what is missing from the runs."""
    sentences = [CONVENTIONS]
    if comparison.differences:
        tests, count = comparison.significance, len(comparison.differences)
        sentences.append(
            f"{SIGNIFICANT}: p < {tests.alpha:g} against {comparison.baseline} ({_test_name(tests.tests[0], tests)}, "
            f"two-sided, Holm-corrected over {counted(count, 'comparison')}). "
            f"Intervals: {tests.confidence * 100:g} % percentile bootstrap, {tests.resamples:,} resamples, "
            f"seed {tests.seed}."
        )
        if any(math.isnan(p) for one in comparison.differences for p in one.p.values()):
            sentences.append(
                f"–: no t-test; it needs {FEWEST_QUERIES} queries or more, and differences that are not all equal."
            )
    if comparison.answers:
        sentences.append(
            "R@k: of the passages in the list that contain an answer, the share among the first k; H@k: share of "
            "queries with such a passage among the first k; answers are matched as in DPR."
        )
    if comparison.reliability:
        sentences.append(
            "Probabilities: hits without a grade count as not relevant. Brier: mean squared error; skill: its gain "
            "over the share of relevant hits as a constant; calibration error: over 10 bins of equal width."
        )
    for name, coverage in comparison.coverage.items():
        sentences += remarks(name, coverage)
    return sentences


def difference_heads(tests: SignificanceConfig) -> tuple[str, ...]:
    """Return the column heads of `difference_cells`."""
    heads = ("difference", f"{tests.confidence * 100:g} % interval", "wins", "ties", "losses")
    return heads + tuple(head for test in tests.tests for head in (f"p ({_TESTS[test]})", "Holm"))


def difference_cells(one: Difference, tests: SignificanceConfig) -> tuple[str, ...]:
    """Return the cells of a row: effect, interval, wins, ties and losses, and two cells for each test."""
    effect, low, high = (f"{_round(value):+.4f}" for value in (one.effect, one.low, one.high))
    cells = (effect, f"{low} … {high}", str(one.wins), str(one.ties), str(one.losses))
    return cells + tuple(p_shown(p[test]) for test in tests.tests for p in (one.p, one.p_holm))


def p_shown(value: float) -> str:
    """Return a p-value as text."""
    if math.isnan(value):
        return "–"
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def number_shown(value: float) -> str:
    """Return a measure or a correlation as text."""
    return "–" if math.isnan(value) else f"{_round(value):.4f}"


def to_text(tables: Sequence[Section], notes: Sequence[str]) -> str:
    """Return tables and notes for a terminal."""
    return _document(tables, notes, "simple", title=lambda name: f"{name}\n", note=str)


def to_markdown(tables: Sequence[Section], notes: Sequence[str]) -> str:
    """Return tables and notes in GitHub's Markdown."""
    return _document(
        tables,
        notes,
        "github",
        title=lambda name: f"### {name}\n",
        note=lambda said: f"- {said}",
        cell=lambda text: text.replace("|", "\\|"),
    )


def to_latex(tables: Sequence[Section], notes: Sequence[str]) -> str:
    """Return tables in LaTeX with `booktabs`; titles and notes are comments."""
    return _document(tables, notes, "latex_booktabs", title=lambda name: f"% {name}", note=lambda said: f"% {said}")


def _measures(comparison: Comparison) -> Section:
    first = comparison.significance.tests[0]
    marked = {
        (one.run, one.measure) for one in comparison.differences if one.p_holm[first] < comparison.significance.alpha
    }
    cutoff = next(iter(comparison.coverage.values())).cutoff
    timed = bool(comparison.latency)
    rows = []
    for name, frame in comparison.scores.items():
        cells = [
            f"{value:.4f}{SIGNIFICANT if (name, measure) in marked else ''}" for measure, value in frame.mean().items()
        ]
        coverage = comparison.coverage[name]
        cells += [f"{coverage.depth:.1f}", f"{coverage.unjudged:.1%}"]
        if timed:
            latency = comparison.latency.get(name)
            cells += [f"{latency.mean * 1000:.1f}", f"{latency.p95 * 1000:.1f}"] if latency else ["–", "–"]
        rows.append((name, *cells))
    heads = ("run", *comparison.measures, "depth", f"unjudged@{cutoff}")
    queries = len(next(iter(comparison.scores.values())))
    return Section(
        f"{counted(queries, 'judged query')}",
        heads + (("ms/query", "ms/query (95th %)") if timed else ()),
        tuple(rows),
    )


def _differences(comparison: Comparison) -> Section:
    tests = comparison.significance
    rows = [(one.run, one.measure, *difference_cells(one, tests)) for one in comparison.differences]
    return Section(f"Against {comparison.baseline}", ("run", "measure", *difference_heads(tests)), tuple(rows))


def _answers(comparison: Comparison, kind: str) -> Section:
    rows = []
    for name, summary in comparison.answers.items():
        columns = [column for column in summary.columns if column.startswith(f"{kind}@")]
        for queries, values in summary.iterrows():
            cells = [name, f"{queries} ({int(values['queries']):,})"]
            rows.append((*cells, *(number_shown(values[column]) for column in columns)))
    return Section(f"{kind}@k by answers", ("run", "queries", *columns), tuple(rows))


def _reliability(comparison: Comparison) -> Section:
    rows = [
        (name, f"{one.hits:,}", *map(number_shown, (one.relevant, one.mean, one.brier, one.skill, one.error)))
        for name, one in comparison.reliability.items()
    ]
    heads = ("run", "hits", "share relevant", "mean probability", "Brier", "skill", "calibration error")
    return Section("Probabilities of relevance", heads, tuple(rows))


def _document(
    tables: Sequence[Section],
    notes: Sequence[str],
    style: str,
    title: Callable[[str], str],
    note: Callable[[str], str],
    cell: Callable[[str], str] = str,
) -> str:
    from tabulate import tabulate

    parts = []
    for section in tables:
        # Cells are text: tabulate must not change the name of a run such as "1e5" or "007" into a number.
        table = tabulate(
            [[cell(text) for text in row] for row in section.rows],
            headers=section.columns,
            tablefmt=style,
            disable_numparse=True,
            colalign=["left" if section.align(head) == "word" else "right" for head in section.columns],
        )
        parts.append(f"{title(section.title)}\n{table}")
    parts.append("\n".join(note(said) for said in notes))
    return "\n\n".join(parts) + "\n"


_TESTS = {"t": "t-test", "wilcoxon": "Wilcoxon", "randomization": "randomisation"}


def _test_name(test: str, config: SignificanceConfig) -> str:
    if test == "randomization":
        return f"randomisation test, {config.resamples:,} resamples, seed {config.seed}"
    return {"t": "paired t-test", "wilcoxon": "Wilcoxon signed-rank test"}[test]


def _round(value: float) -> float:
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value, 4) + 0.0
