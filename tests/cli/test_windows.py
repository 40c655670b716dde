import json
from pathlib import Path

import pytest

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.config_file import read_rerank_config, write_rerank_config
from pyserini_qpeft.windows.config import WindowConfig

SHORT = ("--passage-tokens", "12", "--quiet")
QUERY = "which river flows through the capital"


@pytest.fixture
def reranked(qpeft, beir, model, tmp_path):
    """Reranks a run with the given options; returns the hits of each query, and the last line of the command."""

    def rerank(*options: object) -> tuple[dict[str, list[dict]], str]:
        output = tmp_path / "run.jsonl"
        arguments = ["--corpus", beir, *model, *SHORT, "--output", output, "--output-format", "jsonl"]
        topics = ["--topics", beir / "queries.jsonl.gz"] if "--topics" not in options else []
        done = qpeft("rerank", *options, *topics, *arguments)
        assert done.code == 0, done.err
        lists = map(json.loads, output.read_text().splitlines())
        return {one["qid"]: one["hits"] for one in lists}, done.err.strip().splitlines()[-1]

    return rerank


def test_documents_are_scored_through_windows_that_the_run_shows(reranked, run_file):
    lists, said = reranked("--run", run_file, "--windows")
    hits = [hit for found in lists.values() for hit in found]
    windows = sum(len(hit["windows"]) for hit in hits)
    assert f" {len(hits)} passages in {windows} windows, " in said
    assert windows > len(hits)
    for hit in hits:
        best = hit["best_passage"]
        assert best["text"] == hit["text"][best["start"] : best["stop"]]
        assert best["likelihood"] == hit["likelihood"] == max(one["likelihood"] for one in hit["windows"])


def test_without_windows_the_end_is_cut_and_nothing_is_said_of_windows(reranked, run_file):
    lists, said = reranked("--run", run_file)
    assert "cut to the passage limit" in said
    assert " windows" not in said
    assert not any({"windows", "best_passage"} & hit.keys() for found in lists.values() for hit in found)


def test_the_first_window_counts_what_it_leaves_out(reranked, run_file):
    lists, said = reranked("--run", run_file, "--windows", "first", "--no-window-title")
    assert {len(hit["windows"]) for found in lists.values() for hit in found} == {1}
    assert "cut to the passage limit" in said


def test_search_takes_the_same_options(qpeft, index, beir, model, tmp_path):
    options = [f"--qpeft.{word[2:]}" if word.startswith("--") else word for word in model]
    output = tmp_path / "run.jsonl"
    done = qpeft(
        *("search", "--index", index, "--topics", beir / "queries.jsonl.gz", *options, "--quiet"),
        *("--qpeft.passage-tokens", "12", "--qpeft.windows", "mean", "--qpeft.window-best", "2"),
        *("--output", output, "--output-format", "jsonl"),
    )
    assert done.code == 0, done.err
    hits = json.loads(output.read_text().splitlines()[0])["hits"]
    for hit in hits:
        best = sorted((one["likelihood"] for one in hit["windows"]), reverse=True)[:2]
        assert hit["likelihood"] == pytest.approx(sum(best) / len(best), abs=1e-5)


def test_explain_shows_every_window_and_marks_the_best(qpeft, beir, model):
    asked = ("explain", "--query", QUERY, "--docid", "river", "--corpus", beir, *model, "--passage-tokens", "12")
    done = qpeft(*asked, "--windows")
    assert (done.code, done.err) == (0, "")
    windows, _, tokens = done.out.partition("best window")
    rows = [line for line in windows.splitlines() if " to " in line]
    (best,) = [line for line in rows if line.startswith("*")]
    likelihoods = [float(line.removeprefix("*").split()[3]) for line in rows]
    assert float(best.removeprefix("*").split()[3]) == max(likelihoods)
    assert float(windows.split()[1]) == pytest.approx(max(likelihoods), abs=1e-3)
    assert f"(from {len(rows)} windows)" in windows
    logprobs = [float(line.rsplit(maxsplit=1)[1]) for line in tokens.splitlines() if line.startswith(("'", '"'))]
    assert sum(logprobs) / len(logprobs) == pytest.approx(max(likelihoods), abs=2e-3)


PASSAGES = {
    "nile#0": "The Nile\nThe Nile is the longest river of Africa.",
    "nile#1": "The Nile\nIt flows through the capital of Egypt.",
    "paris#4": "Paris\nParis is the capital of France, on the river Seine.",
    "paris": "Paris\nThe whole page about Paris, its river and its hills.",
}


@pytest.fixture
def passages(tmp_path) -> dict[str, Path]:
    """A run of passages, a run of documents, and the corpus of both."""
    files = {name: tmp_path / name for name in ("passages.txt", "documents.txt", "corpus.jsonl", "topics.tsv")}
    hits = ["nile#1 1 9.5", "paris#4 2 9.0", "nile#0 3 8.5"]
    files["passages.txt"].write_text("".join(f"q1 Q0 {hit} bm25\n" for hit in hits))
    files["documents.txt"].write_text("q1 Q0 paris 1 7.0 bm25\nq1 Q0 nile 2 6.0 bm25\n")
    lines = [{"_id": docid, "text": text} for docid, text in PASSAGES.items()]
    files["corpus.jsonl"].write_text("".join(json.dumps(line) + "\n" for line in lines))
    files["topics.tsv"].write_text(f"q1\t{QUERY}\n")
    return files


def test_a_run_of_passages_is_folded_into_documents_and_unfolded_again(qpeft, passages, model, lists, tmp_path):
    def rerank(name: str, *options: object) -> Path:
        corpus = ("--topics", passages["topics.tsv"], "--corpus", passages["corpus.jsonl"])
        done = qpeft("rerank", *options, *corpus, *model, "--fusion", "none", "--quiet", "--output", tmp_path / name)
        assert done.code == 0, done.err
        return tmp_path / name

    from_passages = ("--passages-from", passages["passages.txt"])
    detailed = rerank("d.jsonl", *from_passages, "--output-format", "jsonl")
    hits = {hit["docid"]: hit for hit in json.loads(detailed.read_text())["hits"]}
    assert hits.keys() == {"nile", "paris"}
    assert [hits["nile"]["first_stage_rank"], hits["nile"]["first_stage_score"]] == [1, 9.5]
    assert [one["docid"] for one in hits["nile"]["windows"]] == ["nile#0", "nile#1"]
    assert hits["nile"]["text"] == f"{PASSAGES['nile#0']}\n{PASSAGES['nile#1']}"
    best = hits["nile"]["best_passage"]
    assert PASSAGES[best["docid"]] == best["text"]
    assert best["likelihood"] == hits["nile"]["score"]

    documents = [docid for docid, _ in lists(rerank("d.txt", *from_passages))["q1"]]
    unfolded = lists(rerank("p.txt", *from_passages, "--unfold"))["q1"]
    assert sorted(docid for docid, _ in unfolded) == ["nile#0", "nile#1", "paris#4"]
    assert list(dict.fromkeys(docid.split("#")[0] for docid, _ in unfolded)) == documents
    assert next(docid for docid, _ in unfolded if docid.startswith("nile")) == best["docid"]
    scores = [score for _, score in unfolded]
    assert scores == sorted(set(scores), reverse=True)

    both = rerank("b.jsonl", *from_passages, "--run", passages["documents.txt"], "--output-format", "jsonl")
    found = {hit["docid"]: hit for hit in json.loads(both.read_text())["hits"]}
    assert found["paris"]["first_stage_rank"] == 1
    assert found["nile"]["windows"] == hits["nile"]["windows"]


def test_a_document_without_passages_in_the_run_is_read_itself(qpeft, passages, model, tmp_path):
    passages["passages.txt"].write_text("q1 Q0 nile#1 1 9.5 bm25\n")
    done = qpeft(
        *("rerank", "--passages-from", passages["passages.txt"], "--run", passages["documents.txt"], *model, "--quiet"),
        *("--topics", passages["topics.tsv"], "--corpus", passages["corpus.jsonl"]),
        *("--output", tmp_path / "run", "--output-format", "jsonl"),
    )
    assert done.code == 0, done.err
    hits = {hit["docid"]: hit for hit in json.loads((tmp_path / "run").read_text())["hits"]}
    assert hits["paris"]["text"] == PASSAGES["paris"]
    assert "docid" not in hits["paris"]["best_passage"]
    assert hits["nile"]["best_passage"]["docid"] == "nile#1"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--run", "RUN", "--window-stride", "5"], "stride of windows has no effect without them: add --windows"),
        (["--run", "RUN", "--windows", "--window-size", "300"], "longer than the 256 tokens"),
        (["--run", "RUN", "--windows", "best"], "invalid choice: 'best'"),
        (["--run", "RUN", "--unfold"], "--unfold has no effect without --passages-from"),
        (["--passages-from", "RUN", "--windows", "none"], "leave out --windows none"),
        (["--passages-from", "RUN"], "has no passages, whose docids are like doc#3"),
        ([], "name a run with --run or --passages-from"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(error_of, run_file, beir, model, tmp_path, options, sentence):
    named = [str(run_file) if option == "RUN" else option for option in options]
    corpus = ("--topics", beir / "queries.jsonl.gz", "--corpus", beir, "--output", tmp_path / "run")
    assert sentence in error_of("rerank", *named, *corpus, *model)


def test_windows_are_kept_in_a_configuration_file(tmp_path):
    config = RerankConfig(windows=WindowConfig("smooth", size=64, stride=32, temperature=0.3, title=False))
    write_rerank_config(tmp_path / "config.json", config)
    assert read_rerank_config(tmp_path / "config.json") == config
    write_rerank_config(tmp_path / "config.json", RerankConfig())
    assert "windows" not in json.loads((tmp_path / "config.json").read_text())


@pytest.mark.parametrize(
    ("windows", "sentence"),
    [
        ({"size": "64"}, "windows: size must be a whole number or null, and is '64'"),
        ({"size": True}, "windows: size must be a whole number or null, and is True"),
        ({"best": None}, "windows: best must be a whole number, and is None"),
        ({"temperature": "hot"}, "windows: temperature must be a number or a whole number"),
        ({"sizes": 64}, "windows: unknown setting 'sizes'"),
        (["max"], "windows must be an object"),
    ],
)
def test_a_wrong_configuration_of_windows_is_reported_with_its_file(
    error_of, tmp_path, windows, sentence, run_file, beir
):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"windows": windows}))
    said = error_of(
        *("rerank", "--run", run_file, "--topics", beir / "queries.jsonl.gz", "--corpus", beir),
        *("--config", file, "--output", tmp_path / "run"),
    )
    assert str(file) in said
    assert sentence in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--windows", "first", "--window-best", "3"],
            "the setting best of windows is for --windows mean, not for first.",
        ),
        (
            ["--windows", "--window-temperature", "1"],
            "the setting temperature of windows is for --windows smooth, not for",
        ),
        (["--window-size", "64"], "the size of windows has no effect without them: add --windows."),
    ],
)
def test_settings_of_windows_that_have_no_effect_are_refused(error_of, options, sentence):
    assert sentence in error_of("cache", "--corpus", "c", "--passage-cache-folder", "f", *options)
