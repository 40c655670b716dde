"""LangChain's compressor and cross encoder, in its own retrievers."""

import asyncio
import copy

import pytest

pytest.importorskip("langchain_core", reason="needs langchain-core (the extra langchain)")

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ValidationError

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.langchain import LangChainCompressor, LangChainCrossEncoder


@pytest.fixture
def documents(passages):
    return [Document(text, id=name, metadata={"tags": [name]}) for name, text in passages.items()]


@pytest.fixture
def retriever(documents):
    class Everything(BaseRetriever):
        def _get_relevant_documents(self, query, *, run_manager):
            return documents

    return Everything()


def ids(documents):
    return [document.id for document in documents]


def test_documents_are_sorted_and_have_their_scores(reranker, passages, documents, query, best_first):
    compressor = LangChainCompressor(reranker=reranker)
    assert isinstance(compressor, BaseDocumentCompressor)
    ranked = compressor.compress_documents(documents, query)
    assert ids(ranked) == best_first
    scores = dict(zip(passages, reranker.score(query, list(passages.values())).tolist(), strict=True))
    assert [one.metadata["relevance_score"] for one in ranked] == pytest.approx(
        [scores[one.id] for one in ranked], abs=1e-6
    )
    assert [one.metadata["tags"] for one in ranked] == [[name] for name in best_first]


def test_documents_given_are_not_changed_and_not_shared(reranker, documents, query):
    before = copy.deepcopy(documents)
    for document in LangChainCompressor(reranker=reranker).compress_documents(documents, query):
        document.metadata["tags"].append("changed")
    assert documents == before


def test_only_the_best_are_kept(reranker, documents, query, best_first):
    assert ids(LangChainCompressor(reranker=reranker, top_n=2).compress_documents(documents, query)) == best_first[:2]
    assert LangChainCompressor(reranker=reranker).compress_documents([], query) == []


def test_equal_documents_keep_their_order(reranker, query):
    twins = [Document("the same", id=str(place)) for place in range(4)]
    assert ids(LangChainCompressor(reranker=reranker).compress_documents(twins, query)) == ["0", "1", "2", "3"]


def test_the_async_twin_gives_the_same(reranker, documents, query, best_first):
    compressor = LangChainCompressor(reranker=reranker)
    assert ids(asyncio.run(compressor.acompress_documents(documents, query))) == best_first


def test_unknown_settings_are_refused(reranker):
    with pytest.raises(ValidationError, match="top_k"):
        LangChainCompressor(reranker=reranker, top_k=3)


def test_a_query_that_is_no_text_is_refused(reranker, documents):
    with pytest.raises(QPeftError):
        LangChainCompressor(reranker=reranker).compress_documents(documents, None)


def test_the_cross_encoder_scores_pairs_in_their_order(reranker, passages, query):
    ours = LangChainCrossEncoder(reranker)
    scores = ours.score([(query, text) for text in passages.values()])
    assert scores == pytest.approx(reranker.score(query, list(passages.values())).tolist(), abs=1e-6)
    assert all(type(score) is float for score in scores)
    assert ours.score([]) == []


def test_langchains_retriever_compresses_with_it(reranker, retriever, query, best_first):
    classic = pytest.importorskip("langchain_classic.retrievers", reason="needs langchain-classic")
    compressing = classic.ContextualCompressionRetriever(
        base_compressor=LangChainCompressor(reranker=reranker, top_n=3), base_retriever=retriever
    )
    assert ids(compressing.invoke(query)) == best_first[:3]
    assert ids(asyncio.run(compressing.ainvoke(query))) == best_first[:3]


def test_langchains_own_reranker_takes_the_cross_encoder(reranker, documents, query, best_first):
    module = "langchain_classic.retrievers.document_compressors"
    compressors = pytest.importorskip(module, reason="needs langchain-classic")
    theirs = compressors.CrossEncoderReranker(model=LangChainCrossEncoder(reranker), top_n=4)
    assert ids(theirs.compress_documents(documents, query)) == best_first[:4]
