"""`qpeft experiment`: a whole experiment from one YAML file, checked against what it expects."""

import argparse
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.evaluation.experiment.outcome import Outcome

NAME = "experiment"
HELP = "run a whole experiment from one YAML file; finished cells are kept and reused"


EXAMPLE = """\
name: Does reranking help?
measures: [nDCG@10, RR@10]       # weights are chosen by the first
depths: [20, 100]                # hits rescored, a row each
fusion: [none, dev, 0.35]        # a row each; dev: the weight that is best on the dev queries
seeds: [1, 2, 3]                 # for what is trained here, or has {seed} in its name
collections:                     # a column for each first stage
  nfcorpus:
    folder: nfcorpus             # BEIR layout; names are looked for beside this file
    queries: 100                 # all when not given
    first-stages: {BM25: {}, stored: run.txt}
    dev: {split: dev, queries: 50}
models:
  shipped:
    options: {passage-tokens: 160}           # of qpeft rerank
    adapters:
      bare: none
      R: retrieval
      mine: {train: {train: train.json, dev: dev.json, variant: attention}}
comparisons:                     # beside those with the first stage: [row, baseline]
  - ["shipped/R, depth 100", "shipped/bare, depth 100"]
expected:                        # what a run should give; written to FOLDER/expected.yaml
  first stage: {nfcorpus / BM25: {nDCG@10: 0.3218}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.epilog = f"an experiment:\n\n{indent(EXAMPLE, '  ')}"
    parser.add_argument("file", type=Path, metavar="FILE", help="experiment (YAML)")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="folder for runs, tables and all else; kept"
    )


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the verb writes, by option."""
    return {"output": [args.output / name for name in ("table.md", "report.html", "expected.yaml")]}


def run(args: argparse.Namespace) -> int:
    """Run what is not done yet, write the tables, and check the scores; 1 where one has moved."""
    import sys

    from pyserini_qpeft.cli.__main__ import main
    from pyserini_qpeft.evaluation.experiment.cells import ExperimentRunner
    from pyserini_qpeft.evaluation.experiment.outcome import Outcome
    from pyserini_qpeft.evaluation.experiment.reading import read_experiment
    from pyserini_qpeft.evaluation.tables import to_text

    experiment = read_experiment(args.file)
    args.output.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(experiment, ExperimentRunner(experiment, args.output, main).cells())
    _write(outcome, args.output)
    print(to_text(outcome.sections(), outcome.notes()), end="")
    moved = outcome.moved()
    for score in moved:
        print(f"moved: {score}", file=sys.stderr)
    checked = sum(len(values) for columns in experiment.expected.values() for values in columns.values())
    if checked:
        print(f"{checked - len(moved)} of {checked} expected scores hold", file=sys.stderr)
    return 1 if moved else 0


def _write(outcome: "Outcome", folder: Path) -> None:
    """Tables with the commands of each cell as Markdown and HTML, and the scores as the YAML expects them."""
    import yaml

    from pyserini_qpeft.data.files import atomic_write
    from pyserini_qpeft.evaluation.plots import plot_gain_against_first_stage
    from pyserini_qpeft.evaluation.report import to_html
    from pyserini_qpeft.evaluation.tables import to_markdown

    sections, notes, commands = outcome.sections(), outcome.notes(), outcome.commands()
    with atomic_write(folder / "table.md") as file:
        file.write(f"## {outcome.experiment.name}\n\n{to_markdown(sections, notes)}\n### Commands\n")
        for name, lines in commands.items():
            file.write(f"\n{name}\n\n```\n" + "\n".join(lines) + "\n```\n")
    first_stage, gains = outcome.first_stage_and_gains()
    figures = []
    if gains:
        figures = [("gains", plot_gain_against_first_stage(first_stage, gains, outcome.measures[0], named=True))]
    told = [*notes, *(f"{name}: {' ; '.join(lines)}" for name, lines in commands.items())]
    with atomic_write(folder / "report.html") as file:
        file.write(to_html(outcome.experiment.name, sections, told, figures))
    with atomic_write(folder / "expected.yaml") as file:
        yaml.safe_dump({"expected": outcome.as_expected()}, file, sort_keys=False, allow_unicode=True)
