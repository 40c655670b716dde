"""`qpeft cache`: reads in advance, says sizes, lists and clears; `qpeft rerank` then reads nothing."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture
def cache(qpeft, model, tmp_path):
    """Runs `qpeft cache` on a folder, with the tiny model."""

    def run(*arguments: object, chosen: bool = True):
        options = model if chosen else ()
        return qpeft("cache", "--passage-cache-folder", tmp_path / "cache", "--quiet", *options, *arguments)

    return run


def stored(tmp_path: Path) -> set[str]:
    return {file.name for file in (tmp_path / "cache").rglob("*.safetensors")}


def test_what_is_read_in_advance_is_all_that_rerank_needs(cache, qpeft, beir, run_file, model, tmp_path, scores):
    dry = cache("--corpus", beir, "--dry-run")
    assert dry.code == 0
    assert re.search(r"cache: 6 passages with \d+ tokens take [\d.]+ kB \(.* free\)\n", dry.err), dry.err
    assert stored(tmp_path) == set()
    done = cache("--corpus", beir)
    assert (done.code, done.out) == (0, "")
    assert re.search(r"6 passages read in [\d.]+ s, [\d,]+ tokens/s\n", done.err), done.err
    files = stored(tmp_path)
    assert len(files) == 6
    assert "6 of them are stored already" in cache("--corpus", beir).err

    runs = []
    for name, options in (("plain", []), ("cached", ["--passage-cache-folder", tmp_path / "cache"])):
        arguments = ["--run", run_file, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, *model, "--quiet"]
        assert qpeft("rerank", *arguments, "--output", tmp_path / name, *options).code == 0
        runs.append(scores(tmp_path / name))
    assert runs[1] == pytest.approx(runs[0], abs=1e-5)
    assert stored(tmp_path) == files


def test_windows_that_are_read_in_advance_are_all_that_rerank_needs(cache, qpeft, beir, run_file, model, tmp_path):
    windows = ("--windows", "--window-size", "9", "--window-stride", "6", "--passage-tokens", "12")
    said = cache("--corpus", beir, *windows).err
    files = stored(tmp_path)
    assert re.search(rf"cache: {len(files)} windows with \d+ tokens take", said), said
    assert len(files) > 10
    arguments = ["--run", run_file, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, *model, "--quiet"]
    arguments += ["--output", tmp_path / "run.txt", "--passage-cache-folder", tmp_path / "cache"]
    assert qpeft("rerank", *arguments, *windows).code == 0
    assert stored(tmp_path) == files
    assert cache("--corpus", beir, "--windows", "first", "--window-size", "9", "--passage-tokens", "12").code == 0
    assert len(stored(tmp_path)) < len(files) + 6
    long = cache("--corpus", beir, "--windows", "--window-size", "20", "--passage-tokens", "12")
    assert long.code == 2
    assert "a window of 20 tokens is longer than the 12 tokens" in long.err


def test_the_passages_of_an_index_are_those_of_its_corpus(cache, beir, index, tmp_path):
    assert cache("--corpus", beir).code == 0
    of_corpus = stored(tmp_path)
    assert cache("--index", index).code == 0
    assert stored(tmp_path) == of_corpus


def test_listing_and_clearing(cache, beir, model, tmp_path):
    assert cache("--corpus", beir, "--passage-cache-limit", "5MB").code == 0
    assert cache("--corpus", beir, "--passage-cache-dtype", "int8").code == 0
    listed = cache("--list", chosen=False)
    head, *rows = listed.out.splitlines()
    assert head.split() == ["model", "dtype", "kept", "as", "passages", "size", "last", "used"]
    assert [row.split()[1:4] for row in rows] == [["float32", "float32", "6"], ["float32", "int8", "6"]]
    assert "12 passages" in listed.err
    assert "limit 5.0 MB" in listed.err
    (tmp_path / "cache" / "notes.txt").write_text("mine")
    assert "12 passages removed" in cache("--clear", "--model", model[1], chosen=False).err
    assert stored(tmp_path) == set()
    assert (tmp_path / "cache" / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "cache" / "passages.json").read_text())["limit"] == 5_000_000
    empty = cache("--list", chosen=False)
    assert (empty.code, empty.out) == (0, "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cache"], "name the folder of the cache with --passage-cache-folder"),
        (["cache", "--passage-cache-folder", "{folder}"], "name the passages with --corpus or --index"),
        (["cache", "--passage-cache-folder", "{folder}", "--list"], "there is no folder"),
        (["cache", "--passage-cache-folder", "{folder}", "--list", "--clear"], "not allowed with"),
        (["cache", "--passage-cache-folder", "{folder}", "--clear", "--index", "x"], "leave out --corpus and --index"),
        (["cache", "--passage-cache-folder", "{folder}", "--passage-cache-limit", "5x"], "'5x' is not a size"),
        (["cache", "--passage-cache-folder", "{file}", "--corpus", "c"], "is a file, where the folder of a cache was"),
        (["cache", "--passage-cache-folder", "{folder}", "--list", "--model", "tiny"], "model has no effect on --list"),
        (
            ["cache", "--passage-cache-folder", "{folder}", "--clear", "--adapter", "none"],
            "adapter has no effect on --cl",
        ),
        (["cache", "--passage-cache-folder", "{folder}", "--list", "--windows"], "windows has no effect on --list"),
        (
            ["cache", "--passage-cache-folder", "{folder}", "--clear", "--passage-tokens", "9"],
            "passage-tokens has no eff",
        ),
    ],
)
def test_mistakes_are_one_sentence(error_of, tmp_path, words, sentence):
    (tmp_path / "file").touch()
    named = {"folder": tmp_path / "none", "file": tmp_path / "file"}
    assert sentence in error_of(*(word.format(**named) for word in words))


def test_a_corpus_that_does_not_fit_is_refused(error_of, beir, model, tmp_path):
    options = ["--passage-cache-folder", tmp_path / "cache", "--passage-cache-limit", "10kB", "--quiet", *model]
    assert "the limit of" in error_of("cache", "--corpus", beir, *options)
    assert stored(tmp_path) == set()


def test_a_model_with_a_name_is_listed_and_removed_by_it(qpeft, beir, tmp_path):
    folder = ["--passage-cache-folder", tmp_path / "cache"]
    assert qpeft("cache", *folder, "--corpus", beir, "--quiet").code == 0  # the shipped model
    assert qpeft("cache", *folder, "--list").out.splitlines()[1].split()[0] == "tiny"
    assert "6 passages removed" in qpeft("cache", *folder, "--clear", "--model", "tiny").err


def test_a_model_without_stored_passages_is_named(error_of, beir, tmp_path):
    (tmp_path / "cache").mkdir()
    arguments = ("--passage-cache-folder", tmp_path / "cache", "--clear", "--model", "nobody")
    assert "holds no passages of the model 'nobody' (and of no other)" in error_of("cache", *arguments)
