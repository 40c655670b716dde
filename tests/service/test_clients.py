"""Real clients of other services, pointed at this one: each gets the right order and its own scores."""

import math
import os
from collections.abc import Callable, Iterator

import pytest
from servers import Server, running
from stand_ins import score_of

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # litellm would ask the network when it is imported
QUERY = "what is the capital of France"
TEXTS = ["Paris is the capital of France.", "The Nile is a river.", "Rome is in Italy.", "Aaron is a prophet."]
SCORES = [math.exp(score_of("tiny", QUERY, text)) for text in TEXTS]
ORDER = sorted(range(len(TEXTS)), key=lambda place: -SCORES[place])
TOKEN = "right"
Places = list[tuple[int, float]]
"""Place and score of each document, best first."""


@pytest.fixture(scope="module", params=[(), ("--windows",)], ids=["plain", "with best passages"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """With windows, results have a field that the APIs do not have."""
    with running(*request.param, QPEFT_TOKEN=TOKEN) as server:
        yield server


def cohere_v2(url: str) -> Places:
    cohere = pytest.importorskip("cohere", reason="needs the client cohere")
    client = cohere.ClientV2(api_key=TOKEN, base_url=url)
    answer = client.rerank(model="tiny", query=QUERY, documents=TEXTS, max_tokens_per_doc=4096)
    assert answer.meta.billed_units.search_units == 1
    return [(result.index, result.relevance_score) for result in answer.results]


def cohere_v1(url: str) -> Places:
    cohere = pytest.importorskip("cohere", reason="needs the client cohere")
    client = cohere.Client(api_key=TOKEN, base_url=url)
    documents = [{"text": text, "title": "t"} for text in TEXTS]
    answer = client.rerank(model="tiny", query=QUERY, documents=documents, return_documents=True, rank_fields=["text"])
    assert [result.document.text for result in answer.results] == [TEXTS[result.index] for result in answer.results]
    return [(result.index, result.relevance_score) for result in answer.results]


def rerankers(provider: str, path: str) -> Callable[[str], Places]:
    def ask(url: str) -> Places:
        pytest.importorskip("rerankers", reason="needs the client rerankers")
        pytest.importorskip("requests")
        from rerankers.models.api_rankers import APIRanker

        client = APIRanker("tiny", TOKEN, provider, verbose=0, url=url + path)
        ranked = client.rank(QUERY, TEXTS, doc_ids=list(range(len(TEXTS))))
        return [(result.doc_id, result.score) for result in ranked.results]

    return ask


def haystack(kind: str) -> Callable[[str], Places]:
    def ask(url: str) -> Places:
        module = f"haystack_integrations.components.rankers.{kind}"
        rankers = pytest.importorskip(module, reason=f"needs {kind}-haystack", exc_type=ImportError)
        from haystack import Document
        from haystack.utils import Secret

        key = Secret.from_token(TOKEN)
        if kind == "jina":
            ranker = rankers.JinaRanker(model="tiny", api_key=key, base_url=f"{url}/v1/rerank")
        else:
            ranker = rankers.CohereRanker(model="tiny", api_key=key, api_base_url=url)
        ranker.warm_up() if hasattr(ranker, "warm_up") else None
        documents = [Document(content=text, id=str(n)) for n, text in enumerate(TEXTS)]
        return [(int(one.id), one.score) for one in ranker.run(query=QUERY, documents=documents)["documents"]]

    return ask


def llama_index(kind: str) -> Callable[[str], Places]:
    def ask(url: str) -> Places:
        module = f"llama_index.postprocessor.{kind}"
        client = pytest.importorskip(module, reason=f"needs llama-index-postprocessor-{kind}", exc_type=ImportError)
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        if kind == "tei_rerank":
            ranker = client.TextEmbeddingInference(base_url=url, top_n=len(TEXTS), auth_token=f"Bearer {TOKEN}")
        elif kind == "jinaai_rerank":
            ranker = client.JinaRerank(model="tiny", base_url=f"{url}/v1", api_key=TOKEN, top_n=len(TEXTS))
        else:
            ranker = client.CohereRerank(model="tiny", base_url=url, api_key=TOKEN, top_n=len(TEXTS))
        nodes = [NodeWithScore(node=TextNode(text=text, id_=str(n)), score=0.5) for n, text in enumerate(TEXTS)]
        ranked = ranker.postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))
        return [(int(one.node.node_id), one.score) for one in ranked]

    return ask


def litellm(provider: str) -> Callable[[str], Places]:
    def ask(url: str) -> Places:
        client = pytest.importorskip("litellm", reason="needs the client litellm", exc_type=ImportError)
        client.suppress_debug_info = True
        answer = client.rerank(
            model=f"{provider}/tiny",
            query=QUERY,
            documents=TEXTS,
            api_base=url,
            api_key=TOKEN,
            top_n=4,
            # It asks for documents as vLLM's clients do, and reads them as infinity's do.
            **({"return_documents": False} if provider == "infinity" else {}),
        )
        return [(result["index"], result["relevance_score"]) for result in answer.results]

    return ask


def langchain_cohere(url: str) -> Places:
    client = pytest.importorskip("langchain_cohere", reason="needs langchain-cohere", exc_type=ImportError)
    ranker = client.CohereRerank(model="tiny", base_url=url, cohere_api_key=TOKEN)
    return [(result["index"], result["relevance_score"]) for result in ranker.rerank(TEXTS, QUERY, top_n=len(TEXTS))]


def infinity(url: str) -> Places:
    client = pytest.importorskip("infinity_client", reason="needs infinity-client", exc_type=ImportError)
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    body = RerankInput(query=QUERY, documents=TEXTS, return_documents=True)
    with client.AuthenticatedClient(base_url=url, token=TOKEN) as session:
        answer = rerank.sync(client=session, body=body)
    assert [result.document for result in answer.results] == [TEXTS[result.index] for result in answer.results]
    return [(result.index, result.relevance_score) for result in answer.results]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(cohere_v2, id="cohere ClientV2"),
        pytest.param(cohere_v1, id="cohere Client"),
        pytest.param(rerankers("cohere", "/v1/rerank"), id="rerankers cohere"),
        pytest.param(rerankers("jina", "/v1/rerank"), id="rerankers jina"),
        pytest.param(rerankers("text-embeddings-inference", "/rerank"), id="rerankers TEI"),
        pytest.param(haystack("jina"), id="jina-haystack"),
        pytest.param(haystack("cohere"), id="cohere-haystack"),
        pytest.param(llama_index("tei_rerank"), id="llama-index TEI"),
        pytest.param(llama_index("jinaai_rerank"), id="llama-index jinaai"),
        pytest.param(llama_index("cohere_rerank"), id="llama-index cohere"),
        pytest.param(langchain_cohere, id="langchain-cohere"),
        pytest.param(litellm("cohere"), id="litellm cohere"),
        pytest.param(litellm("jina_ai"), id="litellm jina_ai"),
        pytest.param(litellm("hosted_vllm"), id="litellm hosted_vllm"),
        pytest.param(litellm("huggingface"), id="litellm huggingface"),
        pytest.param(litellm("infinity"), id="litellm infinity"),
        pytest.param(infinity, id="infinity-client"),
    ],
)
def test_a_real_client_gets_the_right_order(
    server: Server, ask: Callable[[str], Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    ranked = ask(server.url)
    assert [place for place, _ in ranked] == ORDER
    assert [score for _, score in ranked] == pytest.approx([SCORES[place] for place in ORDER])


def test_a_wrong_token_is_an_error_that_cohere_knows(server: Server) -> None:
    cohere = pytest.importorskip("cohere", reason="needs the client cohere")
    with pytest.raises(cohere.UnauthorizedError):
        cohere.ClientV2(api_key="wrong", base_url=server.url).rerank(model="tiny", query=QUERY, documents=TEXTS)
    with pytest.raises(cohere.NotFoundError, match="use one of tiny"):
        cohere.ClientV2(api_key=TOKEN, base_url=server.url).rerank(model="none", query=QUERY, documents=TEXTS)
