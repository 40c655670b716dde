"""LlamaIndex's postprocessor, with its own nodes, events and query engine."""

import asyncio
import copy
import json

import pytest

pytest.importorskip("llama_index.core", reason="needs llama-index-core (the extra llama-index)")

from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.llama_index import LlamaIndexReranker


@pytest.fixture
def nodes(passages):
    return [
        NodeWithScore(node=TextNode(text=text, id_=name), score=20.0 - place)
        for place, (name, text) in enumerate(passages.items())
    ]


def ids(nodes):
    return [node.node.node_id for node in nodes]


def test_nodes_are_sorted_and_have_their_scores(reranker, passages, nodes, query, best_first):
    ranked = LlamaIndexReranker(reranker).postprocess_nodes(nodes, query_str=query)
    assert ids(ranked) == best_first
    scores = dict(zip(passages, reranker.score(query, list(passages.values())).tolist(), strict=True))
    assert [one.score for one in ranked] == pytest.approx([scores[name] for name in best_first], abs=1e-6)


def test_nodes_given_are_not_changed(reranker, nodes, query):
    before = copy.deepcopy(nodes)
    LlamaIndexReranker(reranker).postprocess_nodes(nodes, query_str=query)
    assert nodes == before


def test_metadata_is_read_as_llama_index_embeds_it(reranker, query):
    node = TextNode(text="The capital.", metadata={"title": "France", "secret": "x"})
    node.excluded_embed_metadata_keys = ["secret"]
    (ranked,) = LlamaIndexReranker(reranker).postprocess_nodes([NodeWithScore(node=node)], query_str=query)
    expected = reranker.score(query, ["title: France\n\nThe capital."])[0]
    assert ranked.score == pytest.approx(expected, abs=1e-6)


def test_only_the_best_are_kept_and_nothing_gives_nothing(reranker, nodes, query, best_first):
    assert ids(LlamaIndexReranker(reranker, top_n=2).postprocess_nodes(nodes, query_str=query)) == best_first[:2]
    assert LlamaIndexReranker(reranker).postprocess_nodes([], query_str=query) == []


def test_a_fusing_reranker_mixes_in_the_scores_of_the_nodes(fusing, passages, nodes, query):
    ranked = LlamaIndexReranker(fusing).postprocess_nodes(nodes, query_str=query)
    own = fusing.rerank(query, [(node.node.node_id, node.node.text, node.score) for node in nodes])
    assert [(one.node.node_id, one.score) for one in ranked] == [(hit.docid, hit.score) for hit in own]


def test_the_async_twin_gives_the_same(reranker, nodes, query, best_first):
    found = asyncio.run(LlamaIndexReranker(reranker).apostprocess_nodes(nodes, query_str=query))
    assert ids(found) == best_first


def test_a_missing_query_is_refused(reranker, nodes):
    with pytest.raises(QPeftError, match="query_str"):
        LlamaIndexReranker(reranker).postprocess_nodes(nodes)


def test_an_event_of_reranking_is_fired(reranker, nodes, query):
    handler = LlamaDebugHandler(print_trace_on_end=False)
    ours = LlamaIndexReranker(reranker, callback_manager=CallbackManager([handler]), top_n=3)
    ours.postprocess_nodes(nodes, query_str=query)
    ((start, end),) = handler.get_event_pairs(CBEventType.RERANKING)
    assert start.payload["query_str"] == query
    assert len(start.payload["nodes"]) == 6
    assert len(end.payload["nodes"]) == 3


def test_settings_are_stored_and_give_the_same_ranking(tiny_model_dir, nodes, query, best_first):
    ours = LlamaIndexReranker(
        model=str(tiny_model_dir), adapter="none", device="cpu", dtype="float32", config={"fusion": None}, top_n=4
    )
    stored = json.loads(ours.to_json())
    again = LlamaIndexReranker.from_dict(stored)
    assert again.to_dict() == ours.to_dict()
    assert ids(again.postprocess_nodes(nodes, query_str=query)) == best_first[:4]


def test_an_unknown_setting_is_named(tiny_model_dir, nodes, query):
    wrong = LlamaIndexReranker(model=str(tiny_model_dir), config={"dept": 3})
    with pytest.raises(QPeftError, match="dept"):
        wrong.postprocess_nodes(nodes, query_str=query)


def test_a_query_engine_reranks_what_it_retrieved(reranker, nodes, query, best_first):
    class Everything(BaseRetriever):
        def _retrieve(self, query_bundle):
            return nodes

    engine = RetrieverQueryEngine.from_args(
        Everything(), llm=MockLLM(), node_postprocessors=[LlamaIndexReranker(reranker, top_n=3)]
    )
    assert ids(engine.query(query).source_nodes) == best_first[:3]
