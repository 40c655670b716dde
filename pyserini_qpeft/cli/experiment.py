"""`qpeft experiment`: runs a whole experiment from one YAML file and compares it with the expected scores."""

import argparse
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.evaluation.experiment.outcome import Outcome

HELP = "run a whole experiment from one YAML file; finished steps are kept and reused"

EXAMPLE = """\
name: Does reranking help?
measures: [nDCG@10, RR@10]       # weights are chosen by the first
depths: [20, 100]                # numbers of hits that are rescored; each is a row
fusion: [none, dev, model, 0.35] # a row each; weight: the best on dev queries (dev), the model's own (model)
seeds: [1, 2, 3]                 # for adapters that are trained here, or have {seed} in their name
collections:                     # a column for each first stage
  nfcorpus:
    folder: nfcorpus             # BEIR folder, relative to this file
    queries: 100                 # default: all
    first-stages: {BM25: {}, stored: run.txt}
    dev: {split: dev, queries: 50}
models:
  shipped:
    options: {passage-tokens: 160}           # options of qpeft rerank
    adapters:
      bare: none
      R: retrieval
      mine: {train: {train: train.json, dev: dev.json, variant: attention}}
comparisons:                     # more comparisons than with the first stage: [row, baseline]
  - ["shipped/R, depth 100", "shipped/bare, depth 100"]
expected:                        # scores that a run should give; written to FOLDER/expected.yaml
  first stage: {nfcorpus / BM25: {nDCG@10: 0.3218}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = f"example of an experiment:\n\n{indent(EXAMPLE, '  ')}"
    parser.add_argument("file", type=Path, metavar="FILE", help="the experiment (YAML)")
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="folder for all files of the experiment; they are kept and reused",
    )


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"output": [args.output / name for name in ("table.md", "report.html", "expected.yaml")]}


def run(args: argparse.Namespace) -> int:
    """Run the steps that are not done yet, write the tables, and return 1 if a score differs from the expected one."""
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
    """Write the tables and commands as Markdown and HTML, and the scores in the form of `expected` in the YAML."""
    import yaml

    from pyserini_qpeft.data.files import atomic_write
    from pyserini_qpeft.evaluation.plots.gain_against_first_stage import plot_gain_against_first_stage
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
    with_commands = [*notes, *(f"{name}: {' ; '.join(lines)}" for name, lines in commands.items())]
    with atomic_write(folder / "report.html") as file:
        file.write(to_html(outcome.experiment.name, sections, with_commands, figures))
    with atomic_write(folder / "expected.yaml") as file:
        yaml.safe_dump({"expected": outcome.as_expected()}, file, sort_keys=False, allow_unicode=True)
