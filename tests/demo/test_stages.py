"""A small part of the documentation through the whole pipeline: Lucene, the reranker, fusion, measures."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.demo.collection import DemoCollection, questions_about, write_collection
from pyserini_qpeft.demo.stages import Stages, measure, open_index, rank_in_stages
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoCollection:
    """The entries of a few modules, and the first questions that they answer."""
    folder = tmp_path_factory.mktemp("small")
    whole = write_collection(folder)
    modules = ("os.path", "time", "str", "shutil", "textwrap")
    lines = (folder / "corpus.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["_id"].rpartition(".")[0] in modules]
    (folder / "corpus.jsonl").write_text("\n".join(kept) + "\n")
    topics, qrels, missing = questions_about({json.loads(line)["_id"] for line in kept}, questions=4)
    return DemoCollection(folder, len(kept), whole.fingerprint, topics, qrels, missing)


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")


@pytest.fixture(scope="module")
def stages(small: DemoCollection, reranker: QPeftReranker, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    searcher, _ = open_index(small, tmp_path_factory.mktemp("lucene") / "index")
    return rank_in_stages(searcher, small.topics, reranker)


def test_each_stage_has_the_same_hits_of_every_question(small: DemoCollection, stages: Stages) -> None:
    for lists in stages.named().values():
        assert [ranked.qid for ranked in lists] == list(small.topics)
    for first, by_likelihood, fused in zip(stages.first_stage, stages.likelihood, stages.fused, strict=True):
        assert {hit.docid for hit in first.hits} == {hit.docid for hit in by_likelihood.hits}
        assert {hit.docid for hit in first.hits} == {hit.docid for hit in fused.hits}
        assert [hit.rank for hit in fused.hits] == list(range(1, len(fused.hits) + 1))


def test_the_likelihood_alone_is_what_a_reranker_without_fusion_gives(stages: Stages, reranker: QPeftReranker) -> None:
    alone = QPeftReranker(reranker.scorer, RerankConfig(fusion=None))
    for first, by_likelihood, fused in zip(stages.first_stage, stages.likelihood, stages.fused, strict=True):
        texts = {hit.docid: hit.text for hit in fused.hits}
        expected = alone.rerank(first.query, first.hits, corpus=texts)
        assert [hit.score for hit in by_likelihood.hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
        assert all(hit.score == hit.likelihood for hit in by_likelihood.hits)


def test_every_ranking_is_measured_and_bm25_finds_something(small: DemoCollection, stages: Stages) -> None:
    means = measure(stages.named(), small.qrels)
    assert list(means.index) == ["BM25", "likelihood", "fused"]
    assert list(means.columns) == ["nDCG@10", "RR@10"]
    assert means.loc["BM25", "nDCG@10"] > 0.2


def test_an_index_is_built_once_and_anew_for_another_collection(small: DemoCollection, tmp_path: Path) -> None:
    _, built = open_index(small, tmp_path / "index")
    assert built
    _, built = open_index(small, tmp_path / "index")
    assert not built
    other = DemoCollection(small.folder, small.documents, "another", small.topics, small.qrels, ())
    searcher, built = open_index(other, tmp_path / "index")
    assert built
    assert searcher.num_docs == small.documents
