"""`qpeft experiment` end to end: its table is that of its commands, finished steps are reused, moved scores are reported."""

import json
import random
import re
import shlex
from pathlib import Path

import pytest
import yaml

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.cells import ExperimentRunner
from pyserini_qpeft.evaluation.experiment.inputs import CollectionInputs
from pyserini_qpeft.evaluation.experiment.outcome import Outcome
from pyserini_qpeft.evaluation.experiment.reading import read_experiment

WORDS = [
    "river",
    "capital",
    "France",
    "Egypt",
    "Moses",
    "brother",
    "prophet",
    "sings",
    "Paris",
    "Nile",
    "long",
    "seven",
    "hills",
    "zebra",
    "question",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model_dir: Path) -> Path:
    """A collection with answers and two splits, a stored run of all its queries, a model and two adapters."""
    from tiny import adapted, tiny_tokenizer

    home = tmp_path_factory.mktemp("experiment")
    (home / "beir" / "qrels").mkdir(parents=True)
    (home / "model").symlink_to(tiny_model_dir)
    for seed in (1, 2):
        adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(home / f"adapter-{seed}")
    draw = random.Random(0)
    documents = {f"d{i}": " ".join(draw.choices(WORDS, k=12)) for i in range(30)}
    queries = {f"q{i}": " ".join(draw.choices(WORDS, k=4)) for i in range(14)}
    lines = [json.dumps({"_id": docid, "title": "Title", "text": text}) for docid, text in documents.items()]
    (home / "beir" / "corpus.jsonl").write_text("\n".join(lines))
    lines = [json.dumps({"_id": q, "text": t, "metadata": {"answers": t.split()[:1]}}) for q, t in queries.items()]
    (home / "beir" / "queries.jsonl").write_text("\n".join(lines))
    run = []
    for split, qids in (("test", list(queries)[:8]), ("dev", list(queries)[8:])):
        judged = [f"{qid}\t{docid}\t1" for qid in qids for docid in draw.sample(sorted(documents), 3)]
        (home / "beir" / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
        for qid in qids:
            run += [f"{qid} Q0 {d} {i} {20 - i} t" for i, d in enumerate(draw.sample(sorted(documents), 12), 1)]
    (home / "run.txt").write_text("\n".join(run) + "\n")
    return home


SPEC = {
    "name": "A small experiment",
    "measures": ["RR@10", "nDCG@5"],
    "depths": [4, 9],
    "hits": 10,
    "fusion": ["none", "dev", "model", 0.5],
    "seeds": [1, 2],
    "answer-cutoffs": [3],
    "collections": {"small": {"folder": "beir", "first-stages": {"stored": "run.txt"}, "dev": {"queries": 5}}},
    "models": {
        "tiny": {
            "options": {"model": "model", "dtype": "float32", "device": "cpu"},
            "adapters": {"bare": "none", "R": "adapter-{seed}"},
        }
    },
}


def written(home: Path, name: str, **changes: object) -> Path:
    (home / name).write_text(yaml.safe_dump(SPEC | changes, sort_keys=False))
    return home / name


@pytest.fixture(scope="module")
def outcome(home: Path) -> Outcome:
    experiment = read_experiment(written(home, "whole.yaml"))
    return Outcome(experiment, ExperimentRunner(experiment, home / "out", main).cells())


def test_the_table_has_every_row_and_an_interval_where_there_are_seeds(outcome: Outcome):
    adapters = [f"tiny/{adapter}, depth {depth}" for adapter in ("bare", "R") for depth in (4, 9)]
    fusions = ("", ", fused (dev)", ", fused", ", fused (0.5)")
    assert outcome.rows == ["first stage", *(adapter + fusion for adapter in adapters for fusion in fusions)]
    assert outcome.rows == outcome.experiment.rows
    assert outcome.columns == ["small / stored"]
    assert outcome.measures == ["RR@10", "nDCG@5", "R@3 (answers)", "H@3 (answers)"]
    scores = outcome.scores["RR@10"]
    assert scores["tiny/R, depth 9", "small / stored"].interval is not None
    assert scores["tiny/bare, depth 9", "small / stored"].interval is None


@pytest.mark.parametrize(
    "row",
    [
        "first stage",
        "tiny/bare, depth 4",
        "tiny/R, depth 9, fused (dev)",
        "tiny/R, depth 9, fused",
        "tiny/R, depth 4, fused (0.5)",
    ],
)
def test_the_commands_of_a_row_give_its_scores(home: Path, outcome: Outcome, row: str):
    cell = next(cell for cell in outcome.cells if cell.row == row)
    for command in cell.commands[:-1]:
        assert main(shlex.split(command)[1:]) == 0
    evaluate = shlex.split(cell.commands[-1])[1:]
    assert main([*evaluate, "--output", str(home / "check.json")]) == 0
    (report,) = json.loads((home / "check.json").read_text())["runs"].values()
    found = report["mean"] | {f"{name} (answers)": report["answers"]["all queries"][name] for name in ("R@3", "H@3")}
    assert found == pytest.approx(cell.scores.mean().to_dict(), abs=1e-12)


def test_the_commands_that_are_printed_give_the_figures_of_the_table(home: Path, tmp_path: Path, capsys):
    # First-stage scores that tie, and lists that a fusion cannot use: all equal.
    lines = [line.split() for line in (home / "run.txt").read_text().splitlines()]
    tied = [f"{q} Q0 {d} {rank} {1 if q == 'q3' else 9 - int(rank) // 4} t" for q, _, d, rank, _, _ in lines]
    (home / "tied.txt").write_text("\n".join(tied) + "\n")
    model = {**SPEC["models"]["tiny"], "adapters": {"bare": "none"}}
    small = {**SPEC["collections"]["small"], "first-stages": {"tied": "tied.txt"}}
    changes = {"fusion": ["none", "dev", 0, 0.5], "answer-cutoffs": [], "models": {"tiny": model}}
    file = written(home, "printed.yaml", **changes, collections={"small": small})
    assert main(["experiment", str(file), "--output", str(tmp_path / "out")]) == 0

    tables, _, commands = (tmp_path / "out" / "table.md").read_text().partition("### Commands")
    figures: dict[str, list[str]] = {}
    for row, figure in re.findall(r"^\| (first stage|tiny/bare[^|]*?) +\| +([\d.]+)", tables, re.MULTILINE):
        figures.setdefault(row, []).append(figure)
    blocks = re.findall(r"^([^\n]+) \| small / tied\n\n```\n(.+?)\n```", commands, re.MULTILINE | re.DOTALL)
    assert [row for row, _ in blocks] == list(figures)
    assert len(blocks) == 9
    for row, block in blocks:
        *steps, evaluate = block.splitlines()
        for command in steps:
            assert main(shlex.split(command)[1:]) == 0, command
        assert main([*shlex.split(evaluate)[1:], "--output", str(tmp_path / "check.json")]) == 0
        (found,) = json.loads((tmp_path / "check.json").read_text())["runs"].values()
        assert [f"{found['mean'][measure]:.4f}" for measure in SPEC["measures"]] == figures[row], row


def test_finished_cells_are_kept_and_a_change_runs_only_what_it_touches(home: Path, outcome: Outcome):
    calls: list[list[str]] = []

    def counted(arguments) -> int:
        calls.append(list(arguments))
        return main(arguments)

    def run(name: str, **changes: object) -> Outcome:
        calls.clear()
        experiment = read_experiment(written(home, name, **changes))
        return Outcome(experiment, ExperimentRunner(experiment, home / "out", counted).cells())

    again = run("again.yaml")
    assert calls == []
    assert again.as_expected() == outcome.as_expected()

    run("more.yaml", fusion=["none", "dev", 0.5, 0.7])
    assert calls == []

    adapters = {"bare": "none", "R": {"adapter": "adapter-1", "passage-tokens": 8}}
    model = {**SPEC["models"]["tiny"], "adapters": adapters}
    run("other.yaml", models={"tiny": model}, fusion="none")
    assert [(call[0], call[call.index("--passage-tokens") + 1]) for call in calls] == [("rerank", "8")]


def test_an_experiment_whose_folder_was_moved_runs_nothing_again(home: Path):
    calls: list[list[str]] = []

    def counted(arguments) -> int:
        calls.append(list(arguments))
        return main(arguments)

    adapters = {"bare": {"adapter": "none", "passage-cache-bytes": 1_000_000}}
    model = {**SPEC["models"]["tiny"], "adapters": adapters}
    experiment = read_experiment(written(home, "moved.yaml", models={"tiny": model}, fusion="none"))
    list(ExperimentRunner(experiment, home / "before", counted).cells())
    assert [call[0] for call in calls] == ["rerank"]
    assert "--passage-cache-folder" in calls[0]
    (home / "before").rename(home / "after")
    list(ExperimentRunner(experiment, home / "after", counted).cells())
    assert len(calls) == 1


def test_adapters_are_trained_on_examples_that_the_file_names(home: Path):
    calls: list[list[str]] = []

    def counted(arguments) -> int:
        calls.append(list(arguments))
        return main(arguments)

    train = {"train": ["questions"], "dev": "unseen", "batch-queries": 4, "epochs": 1, "model": "model"}
    train |= {"device": "cpu", "quiet": True}
    spec = {
        "examples": {
            "questions": {"collection": "beir", "split": "test", "negatives": 2},
            "unseen": {"collection": "beir", "split": "dev", "choice": "first"},
        },
        "models": {
            "tiny": {
                "options": {"model": "model", "dtype": "float32", "device": "cpu"},
                "adapters": {"R": {"train": train}, "A": {"train": {**train, "variant": "attention"}, "seeds": [3]}},
            }
        },
        "fusion": "none",
        "depths": 4,
    }

    def run() -> Outcome:
        calls.clear()
        experiment = read_experiment(written(home, "trained.yaml", **spec))
        return Outcome(experiment, ExperimentRunner(experiment, home / "trained", counted).cells())

    trained = run()
    assert [call[0] for call in calls if call[0] != "rerank"] == ["index", "mine", "mine", "train", "train", "train"]
    rows = {cell.row: [one.seed for one in trained.cells if one.row == cell.row] for cell in trained.cells}
    assert rows == {"first stage": [None], "tiny/R, depth 4": [1, 2], "tiny/A, depth 4": [3]}
    commands = next(cell.commands for cell in trained.cells if cell.row == "tiny/A, depth 4")
    assert [shlex.split(command)[1] for command in commands] == ["index", "mine", "mine", "train", "rerank", "evaluate"]
    run()
    assert calls == []


def test_a_sample_of_queries_goes_through_the_whole_file(home: Path):
    small = {**SPEC["collections"]["small"], "queries": 4}
    experiment = read_experiment(written(home, "sample.yaml", collections={"small": small}))
    inputs = CollectionInputs(experiment.collections[0], home / "sample")
    assert list(inputs.qrels) == ["q0", "q2", "q4", "q6"]


def test_a_score_that_moved_is_reported_with_its_row(home: Path, outcome: Outcome, capsys):
    expected = outcome.as_expected()
    file = written(home, "expected.yaml", expected=expected)
    assert main(["experiment", str(file), "--output", str(home / "out")]) == 0
    total = 17 * 4
    assert f"{total} of {total} expected scores hold" in capsys.readouterr().err

    expected["first stage"]["small / stored"]["RR@10"] += 0.01
    expected["gone"] = {"small / stored": {"RR@10": 0.5}}
    comparisons = [["tiny/R, depth 9", "tiny/bare, depth 9"]]
    file = written(home, "expected.yaml", expected=expected, comparisons=comparisons)
    assert main(["experiment", str(file), "--output", str(home / "out")]) == 1
    report = capsys.readouterr().err
    assert "moved: first stage, small / stored, RR@10: " in report
    assert "(-0.0100)" in report
    assert "moved: gone, small / stored, RR@10: expected 0.5000, and the experiment has no such score" in report
    assert f"{total - 1} of {total + 1} expected scores hold" in report

    table = (home / "out" / "table.md").read_text()
    assert "## A small experiment" in table
    assert re.search(r"\| tiny/R, depth 9 +\| tiny/bare, depth 9 +\| small / stored +\| +[+-]0\.\d{4} \|", table)
    assert all(cell.commands[-1] in table for cell in outcome.cells)
    stored = yaml.safe_load((home / "out" / "expected.yaml").read_text())["expected"]
    assert stored == outcome.as_expected()
    assert "data:image/png" in (home / "out" / "report.html").read_text()


def test_mistakes_are_one_sentence(home: Path):
    def run(**changes: object) -> None:
        experiment = read_experiment(written(home, "wrong.yaml", **changes))
        list(ExperimentRunner(experiment, home / "wrong", main).cells())

    alone = {"small": {"folder": "beir", "first-stages": {"stored": "run.txt"}}}
    with pytest.raises(QPeftError, match="small has no dev queries to choose the fusion weight on"):
        run(collections=alone, fusion="dev")
    with pytest.raises(QPeftError, match="a step of the experiment failed: qpeft rerank"):
        run(models={"tiny": {"options": {"model": "beir"}, "adapters": {"bare": "none"}}})


def test_bm25_of_nfcorpus_and_scifact_has_its_published_figures(shared: Path, tmp_path: Path, capfd):
    folders = {name: str(shared / "data" / name) for name in ("nfcorpus", "scifact")}
    expected = {
        "nfcorpus / BM25": {"nDCG@10": 0.3218, "R@100": 0.2457},
        "scifact / BM25": {"nDCG@10": 0.6789, "R@100": 0.9253},
    }
    spec = {
        "name": "BM25",
        "measures": ["nDCG@10", "R@100"],
        "collections": {name: {"folder": folder} for name, folder in folders.items()},
        "models": {},
        "tolerance": 0,
        "expected": {"first stage": expected},
    }
    (tmp_path / "bm25.yaml").write_text(yaml.safe_dump(spec))
    code = main(["experiment", str(tmp_path / "bm25.yaml"), "--output", str(tmp_path / "out")])
    assert (code, capfd.readouterr().err.splitlines()[-1]) == (0, "4 of 4 expected scores hold")
