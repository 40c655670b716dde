"""Search with reranking, what is served, and OpenAPI."""

import time
from pathlib import Path
from typing import Any

import pytest
from stand_ins import CALIBRATED, probability_of, score_of

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.names import check_indexes

TEXTS = [f"title {n}\ntext {n} of docs" for n in range(3)]
LIKELIHOODS = [score_of("tiny", "q", text) for text in TEXTS]


def search(client: Any, **body: Any) -> Any:
    answer = client.post("/v1/search", json={"query": "q", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("weight", [None, 0.0, 0.3, 1.0])
def test_hits_are_ranked_by_the_rule_of_qpeft_search(client: Any, weight: float | None) -> None:
    ranking = rank_hits(LIKELIHOODS, [3, 2, 1], FusionConfig("zscore", weight).for_model(None))
    found = search(client, fusion_weight=weight)
    assert [(hit["docid"], hit["score"]) for hit in found["results"]] == [
        (f"d{place}", score) for place, score in zip(ranking.order, ranking.scores, strict=True)
    ]
    for rank, (hit, place) in enumerate(zip(found["results"], ranking.order, strict=True), start=1):
        assert (hit["rank"], hit["first_stage_rank"], hit["first_stage_score"]) == (rank, place + 1, 3.0 - place)
        assert (hit["likelihood"], hit["title"], hit["text"]) == (LIKELIHOODS[place], f"title {place}", TEXTS[place])
    assert (found["index"], found["model"]) == ("docs", "tiny")
    assert set(found["seconds"]) == {"first_stage", "rerank"}


def test_depth_k_and_the_first_stage_alone(client: Any) -> None:
    assert len(search(client, k=2)["results"]) == 2
    deep = search(client, depth=1, k=3, fusion="none")["results"]
    assert [hit["docid"] for hit in deep] == ["d0", "d1", "d2"]
    assert [hit["likelihood"] for hit in deep] == [LIKELIHOODS[0], None, None]
    plain = search(client, rerank=False, return_documents=False)
    assert [hit["score"] for hit in plain["results"]] == [3.0, 2.0, 1.0]
    assert "text" not in plain["results"][0]
    assert plain["usage"]["total_tokens"] == 0
    assert search(client, query="nothing")["results"] == []


def test_a_calibrated_model_shows_the_probability_of_what_it_has_read(client_of: Any) -> None:
    likelihoods = [score_of(CALIBRATED, "q", text) for text in TEXTS]
    with client_of(adapters=(f"{CALIBRATED}=attention",)) as client:
        found = search(client, model=CALIBRATED, depth=2)["results"]
        assert {hit["docid"]: hit["probability"] for hit in found} == {
            "d0": pytest.approx(probability_of(likelihoods[0])),
            "d1": pytest.approx(probability_of(likelihoods[1])),
            "d2": None,
        }
        assert [hit["probability"] for hit in search(client, k=1)["results"]] == [None]
        assert search(client, model=CALIBRATED, rerank=False)["results"][0]["probability"] is None


def test_a_search_without_reranking_fetches_no_more_than_it_returns(client: Any) -> None:
    assert len(search(client, rerank=False, depth=3, k=1)["results"]) == 1
    asked = []
    find = client.service.search

    async def noted(index: str | None, query: str, k: int = 10) -> Any:
        asked.append(k)
        return await find(index, query, k)

    client.service.search = noted
    search(client, rerank=False, depth=100, k=2)
    # A depth that is over the limit means nothing without reranking.
    search(client, rerank=False, depth=5000, k=2)
    search(client, depth=3, k=2)
    assert asked == [2, 2, 3]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"index": "none"}, 404),
        ({"model": "none"}, 404),
        ({"k": 0}, 422),
        ({"depth": 1001}, 413),
        ({"query": " "}, 422),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(client: Any, body: dict[str, Any], status: int) -> None:
    assert client.post("/v1/search", json={"query": "q", **body}).status_code == status


def test_without_an_index_the_search_says_so(client_of: Any) -> None:
    with client_of(index=()) as client:
        answer = client.post("/v1/search", json={"query": "q"})
        assert (answer.status_code, answer.json()["message"]) == (404, "no index is served here.")


def test_a_folder_that_is_no_index_is_refused_at_the_start(tmp_path: Path) -> None:
    for place in (str(tmp_path), "/no/such/folder", "no/such/folder"):
        with pytest.raises(QPeftError, match="is not a Lucene index"):
            check_indexes({"docs": place})
    (tmp_path / "segments_1").touch()
    check_indexes({"docs": str(tmp_path), "prebuilt": "beir-v1.0.0-scifact.flat"})


def test_models_and_health(client: Any) -> None:
    models = client.get("/v1/models").json()
    assert [(model["id"], model["root"], model["adapter"]) for model in models["data"]] == [
        ("tiny", "tiny", None),
        ("other", "tiny", "attention"),
    ]
    assert models["indexes"] == ["docs"]
    assert client.get("/healthz").json() == {"status": "ok"}
    # Indexes are opened while the server answers already.
    deadline = time.monotonic() + 60
    while client.get("/readyz").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.get("/readyz").json() == {"ready": True, "workers": {"scoring": True, "search": True}}
    assert client.get("/metrics").headers["content-type"].startswith("text/plain")


def test_openapi_describes_every_path(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/rerank", "/v1/rerank", "/v2/rerank", "/score", "/v1/search", "/v1/models", "/healthz", "/readyz"} <= set(
        paths
    )
    body = paths["/rerank"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {one["$ref"].rpartition("/")[2] for one in body["oneOf"]} == {"RerankRequest", "TextsRequest"}


def test_each_answer_names_its_request(client: Any) -> None:
    assert client.get("/healthz", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(client.get("/healthz", headers={"x-request-id": "a b\n"}).headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "settings",
    [{"adapters": ("tiny=none",)}, {"adapters": ("a=none", "a=x")}, {"index": ("x/a", "y/a")}, {"index": ("=x",)}],
)
def test_a_name_belongs_to_one_thing(settings: dict[str, Any]) -> None:
    with pytest.raises(QPeftError, match="name"):
        Service(ServiceConfig(**settings))
