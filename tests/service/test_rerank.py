"""The paths and shapes of the rerank APIs, by the rules that their clients need."""

import math
from typing import Any

import pytest
from stand_ins import score_of

QUERY = "what is the capital of France"
TEXTS = ["Paris is the capital of France.", "The Nile is a river.", "Rome is in Italy.", "Aaron is a prophet."]
LIKELIHOODS = [score_of("tiny", QUERY, text) for text in TEXTS]
ORDER = sorted(range(len(TEXTS)), key=lambda place: -LIKELIHOODS[place])
OBJECT_PATHS = ["/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking"]


def post(client: Any, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", OBJECT_PATHS)
def test_documents_get_an_object_with_everything_that_some_client_reads(client: Any, path: str) -> None:
    answer = post(client, path, model="tiny", query=QUERY, documents=TEXTS)
    assert set(answer) == {"id", "model", "results", "usage", "meta"}
    assert [result["index"] for result in answer["results"]] == ORDER
    assert [result["relevance_score"] for result in answer["results"]] == [math.exp(LIKELIHOODS[i]) for i in ORDER]
    assert [result["document"] for result in answer["results"]] == [{"text": TEXTS[i]} for i in ORDER]
    assert answer["model"] == "tiny"
    assert answer["usage"] == {"prompt_tokens": 40, "total_tokens": 40}
    assert answer["meta"]["api_version"]["version"] == ("1" if path.startswith("/v1") else "2")
    assert answer["meta"]["billed_units"] == {"search_units": 1}


@pytest.mark.parametrize("path", OBJECT_PATHS)
def test_texts_get_the_bare_array_of_tei(client: Any, path: str) -> None:
    answer = post(client, path, query=QUERY, texts=TEXTS)
    assert answer == [{"index": i, "score": math.exp(LIKELIHOODS[i])} for i in ORDER]
    answer = post(client, path, query=QUERY, texts=TEXTS, raw_scores=True, return_text=True, truncate=True)
    assert answer == [{"index": i, "score": LIKELIHOODS[i], "text": TEXTS[i]} for i in ORDER]


def test_documents_may_be_objects_and_rank_fields_name_their_texts(client: Any) -> None:
    objects = [{"text": text, "title": f"title {n}", "id": n} for n, text in enumerate(TEXTS)]
    plain = post(client, "/v1/rerank", query=QUERY, documents=TEXTS)["results"]
    assert post(client, "/v1/rerank", query=QUERY, documents=objects)["results"] == plain
    named = post(client, "/v1/rerank", query=QUERY, documents=objects, rank_fields=["title", "text"])["results"]
    assert {result["document"]["text"] for result in named} == {f"title {n}\n{text}" for n, text in enumerate(TEXTS)}


@pytest.mark.parametrize(("top_n", "count"), [(None, 4), (0, 4), (1, 1), (3, 3), (99, 4)])
def test_null_and_zero_are_all(client: Any, top_n: int | None, count: int) -> None:
    assert len(post(client, "/v2/rerank", query=QUERY, documents=TEXTS, top_n=top_n)["results"]) == count
    assert len(post(client, "/rerank", query=QUERY, texts=TEXTS, top_n=top_n)) == count


def test_fields_that_mean_nothing_here_are_ignored(client: Any) -> None:
    post(
        client,
        "/v1/rerank",
        query=QUERY,
        documents=TEXTS,
        max_tokens_per_doc=None,
        max_chunks_per_doc=10,
        truncate_prompt_tokens=-1,
        priority=0,
        user="someone",
    )


def test_documents_can_be_left_out(client: Any) -> None:
    answer = post(client, "/v1/rerank", query=QUERY, documents=TEXTS, return_documents=False)
    assert all(set(result) == {"index", "relevance_score"} for result in answer["results"])


def test_infinity_gets_documents_as_strings(client: Any) -> None:
    answer = post(client, "/rerank", query=QUERY, documents=TEXTS, raw_scores=True, return_documents=True)
    assert [(result["document"], result["relevance_score"]) for result in answer["results"]] == [
        (TEXTS[i], LIKELIHOODS[i]) for i in ORDER
    ]


def test_each_adapter_is_a_model(client: Any) -> None:
    answer = post(client, "/v1/rerank", model="other", query=QUERY, documents=TEXTS, raw_scores=True)
    assert {r["index"]: r["relevance_score"] for r in answer["results"]} == {
        i: score_of("other", QUERY, text) for i, text in enumerate(TEXTS)
    }


def test_no_document_is_an_empty_answer(client: Any) -> None:
    assert post(client, "/v2/rerank", query=QUERY, documents=[])["results"] == []
    assert post(client, "/rerank", query=QUERY, texts=[]) == []


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
@pytest.mark.parametrize("names", [("text_1", "text_2"), ("queries", "documents"), ("data_1", "data_2")])
def test_pairs_get_scores_in_their_order(client: Any, path: str, names: tuple[str, str]) -> None:
    one, many = names
    answer = post(client, path, **{one: QUERY, many: TEXTS})
    assert answer["data"] == [
        {"index": i, "object": "score", "score": math.exp(score)} for i, score in enumerate(LIKELIHOODS)
    ]
    answer = post(client, path, **{one: ["a", "b"], many: ["c", "d"], "use_activation": False})
    assert [pair["score"] for pair in answer["data"]] == [score_of("tiny", "a", "c"), score_of("tiny", "b", "d")]
    assert post(client, path, **{one: QUERY, many: "c"})["data"][0]["index"] == 0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"query": QUERY, "documents": TEXTS, "model": "rerank-v3.5"}, 404, "use one of tiny, other"),
        ({"query": QUERY}, 422, "documents"),
        ({"documents": TEXTS}, 422, "query"),
        ({"query": "", "documents": TEXTS}, 422, "query"),
        ({"query": "  ", "documents": TEXTS}, 422, "the query is empty"),
        ({"query": QUERY, "documents": [{"image": "x"}]}, 422, "document 0 has no text in text"),
        ({"query": QUERY, "documents": [7]}, 422, "documents.0"),
        ({"query": QUERY, "documents": "one text"}, 422, "documents"),
        ({"query": QUERY, "documents": TEXTS, "top_n": -1}, 422, "top_n"),
        ({"query": "refuse", "documents": TEXTS}, 422, "too long for the model"),
        ({"query": QUERY, "documents": ["fail"]}, 500, "failed with ValueError"),
        ({"query": QUERY, "documents": ["nan"]}, 500, "not finite"),
        (["a list"], 422, ""),
    ],
)
def test_what_cannot_be_answered_says_why_in_the_shape_of_each_client(
    client: Any, body: Any, status: int, words: str
) -> None:
    answer = client.post("/v1/rerank", json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()
    assert set(error) == {"detail", "message", "error"}
    assert set(error["error"]) == {"message", "type", "code"}
    assert words in error["message"] == error["error"]["message"]


def test_tei_gets_its_own_errors(client: Any) -> None:
    def error(**body: Any) -> tuple[int, Any]:
        answer = client.post("/rerank", json=body)
        return answer.status_code, answer.json()

    assert error(query="  ", texts=TEXTS)[1].keys() == {"error", "error_type"}
    assert error(query=QUERY, texts=[1])[0] == 422
    assert error(query=QUERY, texts=[1])[1].keys() == {"error", "error_type"}
    status, body = error(query=QUERY, texts=["x" * 5000], truncate=False)
    assert (status, body["error_type"]) == (413, "Validation")
    status, body = error(query=QUERY, texts=["fail"])
    assert (status, body["error_type"]) == (424, "Backend")


def test_a_request_that_is_no_json_is_refused_as_such(client: Any) -> None:
    headers = {"content-type": "application/json"}
    for body in (
        b'{"query": "a", "documents": [',
        b"",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"query": ' + b"9" * 6000 + b"}",
    ):
        answer = client.post("/v1/rerank", content=body, headers=headers)
        assert answer.status_code in (400, 422), (body[:20], answer.text)
    assert client.post("/v1/rerank", content=b"{", headers=headers).status_code == 400
    assert client.post("/v1/rerank", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_half_a_character_does_not_break_an_answer(client: Any) -> None:
    body = b'{"query": "a \\ud800", "documents": ["b \\ud800"]}'
    answer = client.post("/v1/rerank", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 422)


def test_unknown_paths_and_methods_have_the_same_shape(client: Any) -> None:
    assert client.get("/v1/nothing").json()["error"]["type"] == "not_found_error"
    assert client.get("/v1/rerank").status_code == 405
    assert set(client.get("/v1/rerank").json()) == {"detail", "message", "error"}
