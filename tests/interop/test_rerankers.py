"""The interface of the library rerankers, with its own documents and results."""

import asyncio
import copy

import numpy as np
import pytest

pytest.importorskip("rerankers", reason="needs rerankers (the extra rerankers)")

from rerankers import Document
from rerankers.models.ranker import BaseRanker
from rerankers.results import RankedResults

from pyserini_qpeft import QPeftReranker, RerankConfig
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.rerankers import RerankersRanker


@pytest.fixture
def ranker(reranker):
    return RerankersRanker(reranker)


def test_it_is_a_ranker_of_the_library_and_ranks_strings(ranker, reranker, passages, query, best_first):
    ranked = ranker.rank(query, list(passages.values()), list(passages))
    assert isinstance(ranker, BaseRanker)
    assert isinstance(ranked, RankedResults)
    assert ranked.has_scores
    assert ranked.query == query
    assert [result.doc_id for result in ranked] == best_first
    assert [result.rank for result in ranked] == list(range(1, 7))
    scores = dict(zip(passages, reranker.score(query, list(passages.values())), strict=True))
    np.testing.assert_allclose([one.score for one in ranked], [scores[one.doc_id] for one in ranked], atol=1e-6)
    assert all(type(result.score) is float for result in ranked)
    assert [result.doc_id for result in ranked.top_k(2)] == best_first[:2]
    assert ranked.get_score_by_docid("nile") == pytest.approx(scores["nile"], abs=1e-6)


def test_a_single_passage_has_the_same_score(ranker, reranker, query):
    assert ranker.score(query, "Paris") == pytest.approx(reranker.score(query, ["Paris"])[0], abs=1e-6)
    (only,) = ranker.rank(query, "Paris")
    assert (only.doc_id, only.rank, only.text) == (0, 1, "Paris")


def test_ids_default_to_places_and_metadata_goes_along(ranker, passages, query, best_first):
    names = list(passages)
    ranked = ranker.rank(query, list(passages.values()), metadata=[{"name": name} for name in names])
    assert [names[result.doc_id] for result in ranked] == best_first
    assert [result.name for result in ranked] == best_first


def test_documents_keep_their_ids_and_metadata_and_are_not_changed(ranker, passages, query, best_first):
    documents = [Document(text, doc_id=name, metadata={"tags": [name]}) for name, text in passages.items()]
    before = copy.deepcopy([vars(document) for document in documents])
    ranked = ranker.rank(query, documents)
    renamed = ranker.rank(query, documents, doc_ids=range(6), metadata=[{"new": True}] * 6)
    assert [result.doc_id for result in ranked] == best_first
    assert [result.document.metadata["tags"] for result in ranked] == [[name] for name in best_first]
    assert [list(passages)[result.doc_id] for result in renamed] == best_first
    assert renamed[0].new is True
    ranked[0].document.metadata["tags"].append("changed")
    assert [vars(document) for document in documents] == before


def test_nothing_gives_nothing(ranker, query):
    assert list(ranker.rank(query, [])) == []


def test_equal_passages_keep_their_order(ranker, query):
    assert [result.doc_id for result in ranker.rank(query, ["the same"] * 4)] == [0, 1, 2, 3]


def test_the_async_twin_gives_the_same(ranker, passages, query, best_first):
    ranked = asyncio.run(ranker.rank_async(query, list(passages.values()), list(passages)))
    assert [result.doc_id for result in ranked] == best_first


def test_too_few_ids_and_images_are_refused(ranker, query):
    with pytest.raises(ValueError, match="shorter"):
        ranker.rank(query, ["a", "b"], doc_ids=["1"])
    with pytest.raises(QPeftError, match="text"):
        ranker.rank(query, [Document(document_type="image", base64="aGk=")])


def test_a_single_passage_that_the_reranker_drops_or_does_not_read_has_no_score(reranker, query):
    settings = ({"depth": 0}, {"minimum_probability": 1.0, "calibration": Calibration(1.0, -50.0)})
    for one in settings:
        ranker = RerankersRanker(QPeftReranker(reranker.scorer, RerankConfig(**one)))
        with pytest.raises(QPeftError, match="gives this passage no likelihood"):
            ranker.score(query, "Paris")
