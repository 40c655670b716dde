"""`qpeft evaluate` end to end: published figures, every output, and one sentence for wrong input."""

import json
import re
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.config_file import write_rerank_config
from pyserini_qpeft.reranking.fusion import FusionConfig

RUN = "q1 Q0 a 1 3.0 t\nq1 Q0 b 2 2.0 t\nq2 Q0 b 1 1.5 t\nq2 Q0 a 2 1.0 t\n"
QRELS = "query-id\tcorpus-id\tscore\nq1\tb\t1\nq2\tb\t2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.txt").write_text(RUN)
    (tmp_path / "better.run.trec").write_text(RUN.replace("a 1 3.0", "b 1 3.0").replace("b 2 2.0", "a 2 2.0"))
    (tmp_path / "qrels.tsv").write_text(QRELS)
    return tmp_path


def evaluate(folder: Path, *arguments: str) -> int:
    return main(["evaluate", *(re.sub("^@", f"{folder}/", text) for text in arguments)])


def test_the_stored_runs_of_trec_dl_2020_have_their_published_figures(shared: Path, capsys):
    folder = shared / "data" / "trec-dl-2020-hits"
    runs = {"BM25": "BM25", "SPLADE++": "SPLADE_P_P_ENSEMBLE_DISTIL", "TAS-B": "D_BERT_KD_TASB"}
    named = [f"{name}={folder}/runs/{file}.trec" for name, file in runs.items()]
    assert main(["evaluate", *named, "--qrels", str(folder), "--resamples", "200"]) == 0
    rows = {line.split()[0]: line.split() for line in reversed(capsys.readouterr().out.splitlines()) if line}
    assert [rows[name][1].rstrip("*") for name in runs] == ["0.4796", "0.7197", "0.6854"]


def test_every_output_is_written_and_the_table_printed(folder: Path, capsys):
    suffixes = ("txt", "md", "csv", "json", "tex", "html")
    outputs = [f"@out.{suffix}" for suffix in suffixes]
    assert evaluate(folder, "@run.txt", "@better.run.trec", "--qrels", "@qrels.tsv", "--output", *outputs) == 0
    printed = capsys.readouterr().out
    assert (folder / "out.txt").read_text() == printed
    assert re.search(r"^better +1\.0000 ", printed, re.MULTILINE)
    record = json.loads((folder / "out.json").read_text())
    assert record["runs"]["run"]["mean"]["RR@10"] == 0.75
    assert record["runs"]["better"]["mean"]["RR@10"] == 1.0
    assert {path.suffix[1:] for path in folder.glob("out.*")} == set(suffixes)


def test_a_run_with_both_stages_has_latency_and_all_plots(folder: Path, capsys):
    hits = [RankedHit("b", -1.0, 1, 2.0, 2, "t", -1.0), RankedHit("a", -2.0, 2, 3.0, 1, "t", -2.0)]
    lists = [RankedList(qid, "a query", hits, seconds=seconds) for qid, seconds in (("q1", 0.05), ("q2", 0.15))]
    write_run(folder / "reranked.jsonl", lists, "jsonl")
    write_rerank_config(folder / "tuned.json", RerankConfig(depth=2, fusion=FusionConfig(weight=0.8)))
    arguments = ["@run.txt", "@reranked.jsonl", "--qrels", "@qrels.tsv", "--plots", "@plots", "--config", "@tuned.json"]
    assert evaluate(folder, *arguments) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("reranked"))
    assert row.split()[-2:] == ["100.0", "145.0"]
    assert sorted(path.stem for path in (folder / "plots").iterdir()) == [
        "depth", "fusion-weight", "gain-against-first-stage", "latency", "query-gains-1",
    ]  # fmt: skip


def test_answers_are_looked_for_in_the_text_without_the_title(folder: Path, capsys):
    queries = [
        {"_id": "q1", "text": "?", "metadata": {"answers": ["blue"]}},
        {"_id": "q2", "text": "?", "metadata": {"answers": ["red"]}},
        {"_id": "q3", "text": "?", "metadata": {"answers": ["not judged"]}},
    ]
    corpus = [{"_id": "a", "title": "blue", "text": "a red sky"}, {"_id": "b", "title": "", "text": "Blue."}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    arguments = ["@run.txt", "--qrels", "@qrels.tsv", "--answers", "@queries.jsonl", "--output", "@out.json"]
    assert evaluate(folder, *arguments, "--corpus", "@corpus.jsonl") == 0
    answers = json.loads((folder / "out.json").read_text())["runs"]["run"]["answers"]
    assert answers["all queries"]["queries"] == 2
    assert answers["all queries"]["R@5"] == 1.0
    assert evaluate(folder, *arguments) == 2
    assert "give them with --corpus" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "qrels", "message"),
    [
        (RUN, QRELS.replace("b\t2", "b\tx"), "qrels.tsv:3: the grade 'x' is not a whole number"),
        (RUN.replace("2 2.0", "2 nan"), QRELS, "run.txt:2: the score is nan"),
        (RUN.replace("2 2.0 t", "2"), QRELS, "run.txt:2: 4 columns"),
        (RUN.replace("q", "x"), QRELS, "run.txt:1: query x1 is not in"),
        (
            "q0 Q0 a 1 2.0 t\n" + RUN.replace("a", "x").replace("b", "y"),
            QRELS,
            "run.txt:2: document x is not in",
        ),
        ("", QRELS, "run.txt is empty"),
        (RUN, "", "qrels.tsv is empty"),
    ],
)
def test_wrong_input_is_one_sentence_with_its_place(folder: Path, capsys, run: str, qrels: str, message: str):
    (folder / "run.txt").write_text(run)
    (folder / "qrels.tsv").write_text(qrels)
    assert evaluate(folder, "@run.txt", "--qrels", "@qrels.tsv", "--output", "@out.md") == 2
    error = capsys.readouterr().err
    assert error.startswith("qpeft: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (folder / "out.md").exists()


def test_docids_that_no_qrels_know_are_counted(folder: Path, capsys):
    (folder / "run.txt").write_text(RUN + "q3 Q0 zz 1 1.0 t\n")
    assert evaluate(folder, "@run.txt", "--qrels", "@qrels.tsv") == 0
    text = capsys.readouterr().out
    assert "1 of the 2 docids of run are not in the qrels" in text
    assert "1 query is in run but not in the qrels" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["@run.txt", "@run.txt", "--qrels", "@qrels.tsv"],
            "both be called run: give one of them a name with NAME=FILE",
        ),
        (["@none.txt", "--qrels", "@qrels.tsv"], "no such file"),
        (["@run.txt", "--qrels", "@none.tsv"], "no such file"),
        (["@run.txt", "--qrels", "@"], "qrels/test.tsv"),
        (["@run.txt", "--qrels", "@qrels.tsv", "--measures", "nDCG"], ""),
        (["@run.txt", "--qrels", "@qrels.tsv", "--measures", "nDGC@10"], "'nDGC@10' is not a measure"),
        (["@run.txt", "--qrels", "@qrels.tsv", "--baseline", "x"], "there is no run 'x' to be the baseline"),
        (["@run.txt", "--qrels", "@qrels.tsv", "--output", "@x.doc"], "must end in one of .txt, .md"),
        (["@run.txt", "--qrels", "@qrels.tsv", "--output", "@no/x.md"], "does not exist"),
        (["--qrels", "@qrels.tsv"], "RUN"),
    ],
)
def test_wrong_arguments_are_one_sentence(folder: Path, capsys, arguments: list[str], message: str):
    assert evaluate(folder, *arguments) == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_seconds_that_rerank_wrote_become_latency_columns(qpeft, run_file, beir, model, tmp_path: Path):
    reranked = tmp_path / "reranked.jsonl"
    arguments = ["--run", run_file, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, "--output", reranked]
    done = qpeft("rerank", *arguments, *model, "--output-format", "jsonl", "--seconds", "--quiet")
    assert done.code == 0
    lists = [json.loads(line) for line in reranked.read_text().splitlines()]
    seconds = float(re.search(r", ([\d.]+) s,", done.err)[1])
    assert sum(one["seconds"] for one in lists) == pytest.approx(seconds, abs=0.06)
    per_passage = {round(one["seconds"] / len(one["hits"]), 6) for one in lists if one["hits"]}
    assert len(per_passage) == 1
    assert per_passage.pop() > 0

    (tmp_path / "qrels.txt").write_text("q1 0 river 1\nq4 0 city 1\n")
    done = qpeft("evaluate", run_file, reranked, "--qrels", tmp_path / "qrels.txt", "--measures", "RR@10")
    head, _, *rows = done.out.splitlines()[2:6]
    assert head.split("  ")[-1].strip() == "ms/query (95th %)"
    assert rows[0].split()[-1] == "–"
    assert float(rows[1].split()[-1]) > 0


@pytest.mark.parametrize(
    ("hits", "reason"),
    [
        ([RankedHit("a", -2.0, 1, 3.0, 2, "t", -2.0, 0.9)], "the first stage's hit 1 is not in the reranked list"),
        ([RankedHit("a", 3.0, 1, 3.0, 1), RankedHit("b", 2.0, 2, 2.0, 2)], "document a, has no likelihood"),
    ],
    ids=["a minimum of the probability", "a time limit"],
)
def test_a_run_that_cannot_be_ranked_anew_is_left_out_of_two_plots_only(folder: Path, hits, reason, caplog):
    whole = [RankedHit("b", -1.0, 1, 2.0, 2, "t", -1.0), RankedHit("a", -2.0, 2, 3.0, 1, "t", -2.0)]
    for name, ranked in (("some", [whole, hits]), ("whole", [whole, whole])):
        lists = [RankedList(qid, "a query", one) for qid, one in zip(("q1", "q2"), ranked, strict=True)]
        write_run(folder / f"{name}.jsonl", lists, "jsonl")
    files = ["@run.txt", "@some.jsonl", "@whole.jsonl"]
    assert evaluate(folder, *files, "--qrels", "@qrels.tsv", "--output", "@out.json", "--plots", "@plots") == 0
    assert (folder / "out.json").exists()
    assert len(list((folder / "plots").glob("*.png"))) > 2
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("some is not in the plots of fusion weight and depth: query q2: ")
    assert reason in warning


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--corpus", "@c"], "--corpus has no effect without --answers."),
        (["--answer-cutoffs", "5"], "--answer-cutoffs has no effect without --answers."),
        (["--answers", "@run.txt", "--answer-cutoffs", "0"], "--answer-cutoffs must be 1 or more, and one is 0."),
        (["--config", "@run.txt"], "--config marks its fusion weight in the plots: add --plots, or a report in HTML"),
        (["--plots", "@run.txt"], "run.txt: it is a file, where a folder was expected."),
        (["--output", ""], "cannot write .: its name must end in one of"),
        (["--output", "@a.md", "@a.md"], "a.md is named as two outputs: give each a name of its own."),
    ],
)
def test_options_without_effect_and_outputs_that_cannot_be_are_refused(folder: Path, capsys, options, sentence):
    assert evaluate(folder, "@run.txt", "--qrels", "@qrels.tsv", *options) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--output", "@t.json", "--stopping-k", "5"], "--stopping-k has no effect without --stopping."),
        (["--calibration", "@c.json", "--weights", "0.5"], "--weights has no effect without --output or --stopping."),
        (["--output", "@t.json", "--stopping", "@t.json"], "t.json is named as two outputs"),
    ],
)
def test_options_of_tune_without_effect_are_refused(folder: Path, capsys, options, sentence):
    named = [re.sub("^@", f"{folder}/", text) for text in ["--run", "@run.txt", "--qrels", "@qrels.tsv", *options]]
    assert main(["tune", *named]) == 2
    assert sentence in capsys.readouterr().err
