"""The object behind Pyserini's --prcl: in its own terms, and inside Pyserini's own search command."""

import json
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.pyserini_prcl import PrclReranker, PrclSearcher
from pyserini_qpeft.lucene import build_index, find_java, open_searcher
from pyserini_qpeft.reranking.reranker import QPeftReranker, RerankConfig


def first_stage(docids):
    return [20.0 - place for place in range(len(docids))]


def test_scores_come_first_and_both_lists_are_sorted_descending(reranker, passages, query, best_first):
    docids = list(passages)
    scores, order = PrclReranker(reranker, query, corpus=passages).rerank(docids, first_stage(docids))
    assert order == best_first
    assert scores == sorted(scores, reverse=True)
    assert all(type(score) is float for score in scores)
    np.testing.assert_allclose(scores, reranker.score(query, [passages[docid] for docid in order]), atol=1e-5)


def test_a_fusing_reranker_mixes_in_the_scores_that_pyserini_gives(fusing, passages, query):
    docids = list(passages)
    scores, order = PrclReranker(fusing, query, corpus=passages).rerank(docids, first_stage(docids))
    own = fusing.rerank(query, list(zip(docids, first_stage(docids), strict=True)), corpus=passages)
    assert list(zip(order, scores, strict=True)) == [(hit.docid, hit.score) for hit in own]


def test_equal_scores_keep_the_order_given(reranker, query):
    corpus = {docid: "the same passage" for docid in ("b", "c", "a", "d")}
    _, order = PrclReranker(reranker, query, corpus=corpus).rerank(list(corpus), first_stage(corpus))
    assert order == ["b", "c", "a", "d"]


def test_a_docid_that_occurs_twice_comes_back_twice(reranker, passages, query):
    docids = ["nile", "paris", "nile"]
    _, order = PrclReranker(reranker, query, corpus=passages).rerank(docids, np.float32([3, 2, 1]))
    assert sorted(order) == sorted(docids)


def test_no_hits_give_no_hits(reranker, passages, query):
    assert PrclReranker(reranker, query, corpus=passages).rerank([], []) == ([], [])


def test_hits_below_the_depth_keep_their_order_below_the_head(reranker, passages, query):
    shallow = QPeftReranker(reranker.scorer, RerankConfig(depth=2, fusion=None))
    docids = list(passages)
    scores, order = PrclReranker(shallow, query, corpus=passages).rerank(docids, first_stage(docids))
    assert order[2:] == docids[2:]
    assert scores == sorted(scores, reverse=True)


def test_a_reranker_that_drops_hits_is_refused_because_pyserini_looks_each_of_them_up(reranker, passages, query):
    dropping = QPeftReranker(reranker.scorer, RerankConfig(depth=2, below_depth="drop", fusion=None))
    with pytest.raises(QPeftError, match="kept 2 of 6 hits"):
        PrclReranker(dropping, query, corpus=passages).rerank(list(passages), first_stage(passages))


def test_lists_of_different_length_are_refused(reranker, passages, query):
    with pytest.raises(QPeftError, match="2 docids came with 1 scores"):
        PrclReranker(reranker, query, corpus=passages).rerank(["nile", "paris"], [1.0])


def test_a_docid_without_text_is_named(reranker, passages, query):
    with pytest.raises(QPeftError, match="sahara"):
        PrclReranker(reranker, query, corpus=passages).rerank(["nile", "sahara"], [2.0, 1.0])


def has_java() -> bool:
    try:
        return find_java() is not None
    except QPeftError:
        return False


lucene = pytest.mark.skipif(
    find_spec("pyserini") is None or not has_java(), reason="needs Pyserini and Java 21 (the extra java)"
)

# Lucene gives the first, third and fourth the very same hits and scores; to a language model they differ.
TOPICS = {"1": "the rivers", "2": "finds nothing", "3": "rivers", "4": "of a river", "5": "a river, rivers"}


@pytest.fixture(scope="session")
def index(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rivers")
    rivers = ("Nile", "Seine", "Rhine", "Danube", "Ganges", "Volga")
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
        for place, name in enumerate(rivers):
            text = f"The river {name} is long. " + "Rivers run to the sea. " * place
            corpus.write(json.dumps({"_id": name.lower(), "title": name, "text": text}) + "\n")
    build_index(folder / "corpus.jsonl", folder / "index")
    return folder / "index"


def pyserini_search(index: Path, output: Path, reranker: QPeftReranker, monkeypatch, *options: str) -> list[list[str]]:
    """Run Pyserini's own command, its searcher wrapped and its reranker replaced, and read what it wrote."""
    searcher = PrclSearcher(open_searcher(index), reranker)
    from pyserini.search.lucene import _searcher as searchers
    from pyserini.search.lucene import reranker as rerankers

    topics = output.with_name("topics.tsv")
    topics.write_text("".join(f"{qid}\t{query}\n" for qid, query in TOPICS.items()), encoding="utf-8")
    arguments = f"--index {index} --topics {topics} --output {output} --hits 5"
    prcl = "--prcl lr --prcl.vectorizer TfidfVectorizer --prcl.r 0 --prcl.n 0"
    monkeypatch.setattr(searchers, "LuceneSearcher", lambda folder: searcher)
    monkeypatch.setattr(rerankers, "PseudoRelevanceClassifierReranker", lambda *_, **__: searcher)
    monkeypatch.setattr(sys, "argv", ["search", *arguments.split(), *prcl.split(), *options])
    monkeypatch.delitem(sys.modules, "pyserini.search.lucene.__main__", raising=False)
    runpy.run_module("pyserini.search.lucene", run_name="__main__")
    return [line.split() for line in output.read_text(encoding="utf-8").splitlines()]


def expected_run(index: Path, reranker: QPeftReranker):
    searcher = open_searcher(index)
    return {qid: reranker.rerank(query, searcher.search(query, 5), searcher=searcher) for qid, query in TOPICS.items()}


@lucene
@pytest.mark.parametrize("options", [(), ("--batch-size", "2", "--threads", "2"), ("--batch-size", "10")])
def test_pyserinis_own_search_command_writes_the_reranked_run(index, tmp_path, reranker, monkeypatch, options):
    lines = pyserini_search(index, tmp_path / "run.txt", reranker, monkeypatch, *options)
    expected = expected_run(index, reranker)
    assert [(qid, docid, int(rank)) for qid, _, docid, rank, *_ in lines] == [
        (qid, hit.docid, hit.rank) for qid, hits in expected.items() for hit in hits
    ]
    written = [float(score) for *_, score, _ in lines]
    np.testing.assert_allclose(written, [hit.score for hits in expected.values() for hit in hits], atol=2e-5)
    assert len(lines) == 4 * 5
    same_hits = {(hit.docid, hit.first_stage_score) for hit in expected["1"]}
    assert same_hits == {(hit.docid, hit.first_stage_score) for hit in expected["3"]}
    assert {hit.likelihood for hit in expected["1"]} != {hit.likelihood for hit in expected["3"]}


@lucene
def test_pyserinis_ms_marco_output_follows_the_new_order_too(index, tmp_path, reranker, monkeypatch):
    lines = pyserini_search(index, tmp_path / "run.tsv", reranker, monkeypatch, "--output-format", "msmarco")
    expected = expected_run(index, reranker)
    assert lines == [[qid, hit.docid, str(hit.rank)] for qid, hits in expected.items() for hit in hits]
    firsts = {qid: [hit.first_stage_rank for hit in hits] for qid, hits in expected.items() if hits}
    assert any(places != sorted(places) for places in firsts.values()), "the reranker must move something"


@lucene
def test_queries_with_the_same_hits_take_turns(index, reranker):
    searcher = PrclSearcher(open_searcher(index), reranker)
    queries = ["the rivers", "rivers"]
    searcher.batch_search(queries, ["1", "2"], 1, 1)
    (hit,) = open_searcher(index).search("rivers", 1)
    text = reranker.rerank("rivers", [hit])[0].text
    scores = [searcher.rerank([hit.docid], [hit.score])[0][0] for _ in queries]
    np.testing.assert_allclose(scores, [reranker.score(query, [text])[0] for query in queries], atol=1e-5)


@lucene
def test_hits_of_no_search_are_refused(index, reranker):
    searcher = PrclSearcher(open_searcher(index), reranker)
    searcher.search("rivers", 5)
    with pytest.raises(QPeftError, match="search first"):
        searcher.rerank(["nile"], [1.0])


@lucene
def test_the_wrapped_searcher_can_still_be_set_up(index, reranker):
    searcher = PrclSearcher(open_searcher(index), reranker)
    before = [hit.score for hit in searcher.search("rivers", 5)]
    searcher.set_bm25(0.1, 0.9)
    assert [hit.score for hit in searcher.search("rivers", 5)] != before
    assert searcher.num_docs == 6
