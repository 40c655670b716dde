"""Pyserini's faiss and hybrid programs run as Pyserini runs them, with what their indexes were built with."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from tiny_encoder import save_tiny_encoder

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import EncoderConfig, build_dense_index, build_index, open_searcher
from pyserini_qpeft.lucene.first_stage import search

DOCUMENTS = (
    ("nile#0", "", "the Nile is a river"),
    ("nile#1", "", "the river flows through Egypt"),
    ("paris#0", "", "Paris is the capital of France"),
    ("aaron#0", "", "Aaron is a priest and the brother of Moses"),
    ("song#0", "", "a song of love"),
)
TOPICS = {"2": "the capital of France", "10": "who is the brother of Moses", "é": "zebra"}


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    records = [{"_id": docid, "title": title, "text": text} for docid, title, text in DOCUMENTS]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


@pytest.fixture(scope="module")
def dense(corpus_file, encoder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "dense"
    build_dense_index(corpus_file, folder, EncoderConfig(encoder=str(encoder)))
    return folder


@pytest.fixture(scope="module")
def sparse(corpus_file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "sparse"
    build_index(corpus_file, folder)
    return folder


@pytest.fixture
def copied(dense, tmp_path) -> Path:
    """The Faiss index in a place of its own, where it can be damaged."""
    return Path(shutil.copytree(dense, tmp_path / "copied"))


@pytest.fixture
def pyserini(tmp_path, monkeypatch):
    """Runs a program of Pyserini as it is; its run as (qid, docid, score)."""

    def run(module, *words, topics=TOPICS):
        file = tmp_path / "topics.json"
        file.write_text(json.dumps({qid: {"title": query} for qid, query in topics.items()}))
        own = ["--topics", file, "--output", tmp_path / "run.txt"]
        monkeypatch.setattr(sys, "argv", [module, *map(str, [*words, *own])])
        sys.modules.pop(f"{module}.__main__", None)
        runpy.run_module(module, run_name="__main__")
        lines = [line.split() for line in (tmp_path / "run.txt").read_text().splitlines()]
        return [(qid, docid, pytest.approx(float(score), abs=2e-6)) for qid, _, docid, _, score, _ in lines]

    return run


def flat(run):
    return [(qid, hit.docid, hit.score) for qid, hits in run.items() for hit in hits]


def settings(encoder):
    return ["--encoder", str(encoder), "--encoder-class", "auto", "--pooling", "mean", "--l2-norm"]


def test_the_faiss_programs_hits_are_pyserinis(dense, encoder, pyserini):
    words = ["--index", str(dense), "--hits", "3", *settings(encoder)]
    found = search(words, TOPICS, program="faiss")
    assert list(found) == list(TOPICS)
    assert sorted(flat(found)) == sorted(pyserini("pyserini.search.faiss", *words), key=lambda hit: hit[:2])


@pytest.mark.parametrize("fusion", [[], ["--alpha", "0.5", "--normalization"], ["--weight-on-dense", "--hits", "2"]])
def test_the_hybrid_programs_hits_are_pyserinis(dense, sparse, encoder, pyserini, fusion):
    words = ["dense", "--index", str(dense), *settings(encoder), "sparse", "--index", str(sparse)]
    words += ["fusion", *fusion, "run", "--hits", "4"]
    topics = {"2": "the capital of a river", "10": "river Paris", "é": "the love of the brother or a river"}
    found = search(words, topics, program="hybrid")
    expected = pyserini("pyserini.search.hybrid", *words, topics=topics)
    assert sorted(flat(found)) == sorted(expected, key=lambda hit: hit[:2])


def test_normalization_passes_over_a_half_whose_scores_are_all_equal(dense, sparse):
    words = ["dense", "--index", str(dense), "sparse", "--index", str(sparse), "fusion", "--normalization"]
    found = search(words, {"q": "moses"}, program="hybrid")["q"]  # BM25 finds one document: Pyserini divides by zero
    alone = search(["--index", str(dense)], {"q": "moses"}, program="faiss")["q"]
    assert [hit.docid for hit in found] == [hit.docid for hit in alone]
    words += ["--weight-on-dense", "--hits", "1"]
    assert "aaron#0" in {hit.docid for hit in search(words, {"q": "moses"}, program="hybrid")["q"]}


def test_an_index_knows_its_encoder_and_its_settings(dense, encoder):
    given = search(["--index", str(dense), *settings(encoder)], TOPICS, program="faiss")
    assert search(["--index", str(dense)], TOPICS, program="faiss") == given
    assert flat({"q": open_searcher(dense).search(TOPICS["2"])}) == flat({"q": given["2"]})


def test_several_queries_at_a_time_find_the_same(dense):
    together = search(["--index", str(dense), "--batch-size", "2", "--threads", "2"], TOPICS, program="faiss")
    for one, other in zip(flat(together), flat(search(["--index", str(dense)], TOPICS, program="faiss")), strict=True):
        assert one[:2] == other[:2]
        assert one[2] == pytest.approx(other[2], abs=1e-5)


def test_max_passage_gives_a_document_the_text_of_its_best_passage(dense):
    texts = {docid: text for docid, _, text in DOCUMENTS}
    run = search(["--index", str(dense), "--max-passage"], TOPICS, program="faiss", texts=texts.get)
    for hits in run.values():
        assert sorted(hit.docid for hit in hits) == ["aaron", "nile", "paris", "song"]
        assert all(hit.text in {text for d, text in texts.items() if d.startswith(hit.docid)} for hit in hits)


def test_settings_of_a_sentence_transformers_encoder_are_used_on_an_index_built_elsewhere(copied, dense, encoder):
    (copied / "qpeft.json").unlink()
    expected = search(["--index", str(dense)], TOPICS, program="faiss")
    assert search(["--index", str(copied), "--encoder", str(encoder)], TOPICS, program="faiss") == expected


def test_a_word_in_the_path_of_an_encoder_chooses_no_class(copied, dense, encoder, tmp_path):
    """Pyserini would take "lance" for the class ance, and "eclipse" for clip."""
    (copied / "qpeft.json").unlink()
    moved = shutil.copytree(encoder, tmp_path / "lance" / "eclipse" / "encoder")
    expected = search(["--index", str(dense)], TOPICS, program="faiss")
    assert search(["--index", str(copied), "--encoder", str(moved)], TOPICS, program="faiss") == expected


def error_of(words, program="faiss"):
    with pytest.raises(QPeftError) as found:
        search([str(word) for word in words], TOPICS, program=program)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_an_index_built_elsewhere_needs_an_encoder(copied):
    (copied / "qpeft.json").unlink()
    assert "give the encoder with --encoder" in error_of(["--index", copied])


def test_an_encoder_of_other_dimensions(copied, tmp_path):
    other = save_tiny_encoder(tmp_path / "other", dimensions=16)
    assert "was built with other weights" in error_of(["--index", copied, "--encoder", other])
    (copied / "qpeft.json").unlink()
    assert "do not have the 32 dimensions of the Faiss index" in error_of(["--index", copied, "--encoder", other])


def test_an_encoder_that_is_not_there(copied):
    assert "'BAAI/none' is neither a folder nor in the hub's cache" in error_of(
        ["--index", copied, "--encoder", "BAAI/none", "--encoder-class", "auto"]
    )
    assert "'BAAI/none' is neither a folder nor in the hub's cache" in error_of(
        ["--index", copied, "--encoder", "BAAI/none"]
    )


def test_an_encoder_that_moved_or_changed_since_the_index_was_built(corpus_file, tmp_path, caplog):
    encoder = save_tiny_encoder(tmp_path / "encoder")
    build_dense_index(corpus_file, tmp_path / "index", EncoderConfig(encoder=str(encoder)))
    encoder.rename(tmp_path / "moved")
    assert "is gone: give its new place with --encoder" in error_of(["--index", tmp_path / "index"])
    words = ["--index", str(tmp_path / "index"), "--encoder", str(tmp_path / "moved")]
    assert search(words, TOPICS, program="faiss")["2"]
    assert caplog.text == ""
    save_tiny_encoder(tmp_path / "encoder", seed=1)
    assert "has changed since the index" in error_of(["--index", tmp_path / "index"])
    assert "was built with other weights" in error_of([*words[:2], "--encoder", tmp_path / "encoder"])


def test_an_encoder_of_the_hub_is_compared_by_its_weights(corpus_file, tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--some--encoder" / "snapshots" / ("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    save_tiny_encoder(snapshot)
    (tmp_path / "hub" / "models--some--encoder" / "refs").mkdir()
    (tmp_path / "hub" / "models--some--encoder" / "refs" / "main").write_text("0" * 40)
    build_dense_index(corpus_file, tmp_path / "index", EncoderConfig(encoder="some/encoder"))
    assert search(["--index", str(tmp_path / "index")], TOPICS, program="faiss")["2"]
    (snapshot / "pytorch_model.bin").write_text("another form of the weights, which another program has loaded")
    assert search(["--index", str(tmp_path / "index")], TOPICS, program="faiss")["2"]
    save_tiny_encoder(snapshot, seed=1)
    assert "has changed since the index" in error_of(["--index", tmp_path / "index"])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda index: (index / "docid").unlink(), "has no file docid"),
        (lambda index: (index / "docid").write_text("one\n"), "has 5 vectors and 1 docids"),
        (lambda index: (index / "index").write_bytes(b"IxFI"), "Pyserini's search failed"),
        (lambda index: (index / "qpeft.json").write_text("{"), "qpeft.json"),
        (lambda index: (index / "qpeft.json").write_text('{"encoder": {"no": 1}}'), "are damaged: build it again"),
    ],
)
def test_a_damaged_faiss_index(copied, damage, sentence):
    damage(copied)
    assert sentence in error_of(["--index", copied])


def test_wrong_options_and_indexes_of_the_other_kind(dense, sparse):
    assert "unrecognized arguments: --k1 0.9" in error_of(["--index", dense, "--k1", "0.9"])
    assert "is not a Faiss index: it holds an index of the other kind" in error_of(["--index", sparse])
    assert "is not a Lucene index: it holds an index of the other kind" in error_of(["--index", dense], "lucene")
    assert "sparse is missing" in error_of(["dense", "--index", dense], "hybrid")
    assert "must stand in a section" in error_of(["--index", dense, "dense"], "hybrid")
    assert "unrecognized arguments: --alpha 1" in error_of(
        ["dense", "--index", dense, "sparse", "--index", sparse, "run", "--alpha", "1"], "hybrid"
    )


def test_the_language_of_an_index_is_the_language_of_its_searches(dense, corpus, tmp_path):
    folder = tmp_path / "zh"
    build_index(corpus(("1", "", "北京大学的学生"), ("2", "", "上海")), folder, language="zh")
    query = {"q": "大学"}
    assert [hit.docid for hit in search(["--index", str(folder)], query)["q"]] == ["1"]
    assert [hit.docid for hit in search(["--index", str(folder), "--language", "zh"], query)["q"]] == ["1"]
    assert [hit.docid for hit in open_searcher(folder).search("大学")] == ["1"]
    assert "was analysed for the language 'zh'" in error_of(["--index", folder, "--language", "en"], "lucene")
    words = [
        "dense",
        "--index",
        str(dense),
        "sparse",
        "--index",
        str(folder),
        "fusion",
        "--weight-on-dense",
        "--alpha",
        "0",
    ]
    assert search(words, query, program="hybrid")["q"][0].docid == "1"
    with pytest.raises(QPeftError, match=r"no analysis for language 'xx': use one of ar, bn, .*zh"):
        build_index(corpus(("1", "", "words")), tmp_path / "xx", language="xx")
