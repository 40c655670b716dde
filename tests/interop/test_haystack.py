"""Haystack's component, in its own pipelines."""

import asyncio
import copy
import os

import pytest

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
pytest.importorskip("haystack", reason="needs haystack-ai (the extra haystack)")

from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.core.errors import DeserializationError
from haystack.document_stores.in_memory import InMemoryDocumentStore

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.haystack import HaystackRanker

ALLOWED = ["pyserini_qpeft.interop.haystack"]


@pytest.fixture
def documents(passages):
    return [
        Document(id=name, content=text, meta={"tags": [name]}, score=20.0 - place)
        for place, (name, text) in enumerate(passages.items())
    ]


@pytest.fixture
def ranker(reranker):
    ranker = HaystackRanker()
    ranker.reranker = reranker
    return ranker


@pytest.fixture
def stored(tiny_model_dir):
    """A ranker that can be stored: it loads the model itself."""
    return HaystackRanker(
        model=str(tiny_model_dir), adapter="none", device="cpu", dtype="float32", config={"fusion": None}, top_k=4
    )


def ids(documents):
    return [document.id for document in documents]


def test_documents_are_sorted_and_have_their_scores(ranker, reranker, passages, documents, query, best_first):
    ranked = ranker.run(query=query, documents=documents)["documents"]
    assert ids(ranked) == best_first
    scores = dict(zip(passages, reranker.score(query, list(passages.values())).tolist(), strict=True))
    assert [one.score for one in ranked] == pytest.approx([scores[name] for name in best_first], abs=1e-6)
    assert [one.meta for one in ranked] == [{"tags": [name]} for name in best_first]


def test_documents_given_are_not_changed(ranker, documents, query):
    before = copy.deepcopy(documents)
    ranker.run(query=query, documents=documents)
    assert documents == before


def test_only_the_best_are_kept_and_nothing_gives_nothing(ranker, documents, query, best_first):
    assert ids(ranker.run(query=query, documents=documents, top_k=2)["documents"]) == best_first[:2]
    assert ranker.run(query=query, documents=[]) == {"documents": []}


def test_a_fusing_reranker_mixes_in_the_scores_of_the_documents(fusing, documents, query):
    ranker = HaystackRanker()
    ranker.reranker = fusing
    ranked = ranker.run(query=query, documents=documents)["documents"]
    own = fusing.rerank(query, [(one.id, one.content, one.score) for one in documents])
    assert [(one.id, one.score) for one in ranked] == [(hit.docid, hit.score) for hit in own]


def test_meta_fields_are_read_before_the_content(reranker, query):
    ranker = HaystackRanker(meta_fields_to_embed=["title", "absent"])
    ranker.reranker = reranker
    document = Document(content="The capital.", meta={"title": "France"})
    (ranked,) = ranker.run(query=query, documents=[document])["documents"]
    assert ranked.score == pytest.approx(reranker.score(query, ["France\nThe capital."])[0], abs=1e-6)


def test_a_document_without_text_is_named(ranker, query):
    with pytest.raises(QPeftError, match="picture"):
        ranker.run(query=query, documents=[Document(id="picture", content=None, score=1.0)])


def test_the_async_twin_gives_the_same(ranker, documents, query, best_first):
    assert ids(asyncio.run(ranker.run_async(query=query, documents=documents))["documents"]) == best_first


def test_the_model_is_loaded_by_warm_up_and_by_the_first_run(stored, documents, query, best_first):
    assert stored.reranker is None
    assert ids(stored.run(query=query, documents=documents)["documents"]) == best_first[:4]
    loaded = stored.reranker
    stored.warm_up()
    assert stored.reranker is loaded


def test_settings_are_stored_in_a_dict(stored):
    again = HaystackRanker.from_dict(stored.to_dict())
    assert again.to_dict() == stored.to_dict()
    assert again.config == {"fusion": None}


@pytest.fixture
def pipeline(stored, documents):
    store = InMemoryDocumentStore()
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("bm25", InMemoryBM25Retriever(store))
    pipeline.add_component("ranker", stored)
    pipeline.connect("bm25.documents", "ranker.documents")
    return pipeline


def test_a_pipeline_retrieves_and_reranks(pipeline, query, reranker):
    found = pipeline.run({"bm25": {"query": query, "top_k": 3}, "ranker": {"query": query}})["ranker"]["documents"]
    assert len(found) == 3
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert [one.score for one in found] == pytest.approx(
        reranker.score(query, [one.content for one in found]).tolist(), abs=1e-5
    )


def test_an_async_pipeline_retrieves_and_reranks(pipeline, query):
    asked = {"bm25": {"query": query}, "ranker": {"query": query, "top_k": 2}}
    found = asyncio.run(pipeline.run_async(asked))["ranker"]["documents"]
    assert ids(found) == ids(pipeline.run(asked)["ranker"]["documents"])
    assert len(found) == 2


def test_a_stored_pipeline_is_loaded_if_the_module_is_allowed(pipeline, query):
    text = pipeline.dumps()
    with pytest.raises(DeserializationError, match="interop"):
        Pipeline.loads(text)
    again = Pipeline.loads(text, allowed_modules=ALLOWED)
    assert again.dumps() == text
    assert again.get_component("ranker").top_k == 4
