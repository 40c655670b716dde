"""Cascades, windows, adaptive depth and time limits through the service, with the scores of stand-ins."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_ins import CALIBRATED, begun, probability_of, score_of

from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.deadline import Pace
from pyserini_qpeft.reranking.scored import Scored
from pyserini_qpeft.service import engine
from pyserini_qpeft.service.answers import shown_scores
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.shared_scoring import ServiceReranker
from pyserini_qpeft.windows.config import WindowConfig

QUERY = "what is the capital of France"
TEXTS = [f"document {n} about a town" for n in range(8)]
CASCADE = "tiny@6:none,other@3:none"
RULE = StoppingRule(0.0, -2.0, -0.1, -1.7, 0.09)


def rerank(client: Any, path: str = "/v1/rerank", **body: Any) -> Any:
    answer = client.post(path, json={"query": QUERY, "documents": TEXTS, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def order_of(model: str, places: Sequence[int]) -> list[int]:
    return sorted(places, key=lambda place: -score_of(model, QUERY, TEXTS[place]))


def expected(first: str, second: str) -> list[int]:
    """Six are scored by the first model, the best three of them by the second, and two by none."""
    head = order_of(first, range(6))
    return [*order_of(second, head[:3]), *head[3:], 6, 7]


def test_a_request_may_chain_served_models(client: Any) -> None:
    answer = rerank(client, model=CASCADE)
    assert [result["index"] for result in answer["results"]] == expected("tiny", "other")
    assert answer["model"] == CASCADE
    assert [result["stage"] for result in answer["results"]] == ["other"] * 3 + ["tiny"] * 3 + [None] * 2
    first = answer["results"][0]
    likelihoods = [score_of(model, QUERY, TEXTS[first["index"]]) for model in ("tiny", "other")]
    assert [(stage["model"], stage["likelihood"]) for stage in first["stages"]] == list(
        zip(("tiny", "other"), likelihoods, strict=True)
    )
    assert first["relevance_score"] == math.exp(likelihoods[-1])
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert answer["usage"]["total_tokens"] == 10 * (6 + 3)


def test_a_request_may_chain_served_models_that_have_a_depth_and_a_margin_alone(client_of: Any) -> None:
    config = RerankConfig(depth=np.int64(2), margin=np.float32(1.0), fusion=None)  # type: ignore[arg-type]
    with client_of(rerank=config) as client:
        assert [result["index"] for result in rerank(client, model=CASCADE)["results"]] == expected("tiny", "other")
        listed = client.get("/v1/models").json()["data"][0]
        assert (listed["depth"], listed["margin"]) == (2, 1.0)


def test_a_cascade_is_served_beside_its_models(client_of: Any) -> None:
    with client_of(adapters=(), cascade="tiny@6:none,tiny+attention@3:none") as client:
        names = [model["id"] for model in client.get("/v1/models").json()["data"]]
        assert names == ["tiny@6:none,tiny+attention@3:none", "tiny", "tiny+attention"]
        found = [result["index"] for result in rerank(client)["results"]]
        assert found == expected("tiny", "tiny+attention")
        alone = [result["index"] for result in rerank(client, model="tiny")["results"]]
        assert alone == order_of("tiny", range(8))
        hits = client.post("/v1/search", json={"query": QUERY}).json()["results"]
        assert [hit["stage"] for hit in hits] == ["tiny+attention"] * 3
        assert client.post("/score", json={"queries": QUERY, "documents": TEXTS}).json()["data"][0][
            "score"
        ] == math.exp(score_of("tiny+attention", QUERY, TEXTS[0]))


def test_fused_stages_give_scores_from_0_to_1_that_fall(client: Any) -> None:
    results = rerank(client, model="tiny@8,other@4")["results"]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= min(scores) <= max(scores) <= 1
    raw = [result["relevance_score"] for result in rerank(client, model="tiny@8,other@4", raw_scores=True)["results"]]
    assert raw == [result["stages"][-1]["score"] for result in results]


@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("tiny@6,other@8", 422, "stage 2 of the cascade rescores 8 hits"),
        ("tiny@6,unknown@3", 404, "there is no model 'unknown'"),
        ("tiny@6,other@three", 422, "cannot read the stage"),
        (",".join(["tiny@6"] * 1000), 422, "may have 8 stages at most, and this one has 1000"),
        ("/etc/tiny@6.json", 404, "use one of tiny, other"),
    ],
)
def test_a_cascade_that_cannot_be_is_refused_in_one_sentence(client: Any, model: str, status: int, words: str) -> None:
    answer = client.post("/v1/rerank", json={"query": QUERY, "documents": TEXTS, "model": model})
    assert answer.status_code == status
    assert words in answer.json()["message"]


def test_depth_and_fusion_of_a_cascade_are_not_for_a_request(client: Any) -> None:
    for body in ({"depth": 2}, {"fusion": "rrf"}, {"fusion_weight": 0.5}):
        answer = client.post("/v1/search", json={"query": QUERY, "model": CASCADE, **body})
        assert (answer.status_code, "those of the cascade's stages" in answer.json()["message"]) == (422, True)


def test_the_best_passage_of_a_long_document_comes_back(client_of: Any) -> None:
    with client_of(rerank=RerankConfig(windows=WindowConfig())) as client:
        for result in rerank(client)["results"]:
            text = TEXTS[result["index"]]
            best = result["best_passage"]
            half = len(text) // 2
            assert (best["start"], best["stop"], best["text"]) == (half, len(text), text[half:])
            assert best["likelihood"] == score_of("tiny", QUERY, text)
        hit = client.post("/v1/search", json={"query": QUERY}).json()["results"][0]
        assert hit["text"].endswith(hit["best_passage"]["text"])
        cascade = rerank(client, model=CASCADE)["results"]
        assert all("best_passage" in result for result in cascade[:6])


def test_without_windows_and_cascade_an_answer_has_no_new_field(client: Any) -> None:
    assert set(rerank(client)["results"][0]) == {"index", "relevance_score", "document"}


def test_what_is_not_scored_in_time_stays_below_in_its_order(client: Any, tmp_path: Path) -> None:
    rerank(client, milliseconds=60_000)  # the first block of a model has one document
    may_end = tmp_path / "end"
    texts = [*TEXTS[:2], f"until {may_end}", *TEXTS[2:]]
    answer = rerank(client, documents=texts, milliseconds=200)
    may_end.touch()
    assert [result["index"] for result in answer["results"]] == list(range(9))
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert rerank(client, milliseconds=60_000)["results"][0]["index"] == order_of("tiny", range(8))[0]


class _Known:
    """Scores as the stand-in does; a `PairScoring`."""

    def score(self, pairs: Sequence[tuple[str, Candidate]], on_scored: Any = None) -> Scored:
        likelihoods = np.array([score_of("tiny", query, one.text) for query, one in pairs], dtype=np.float32)
        return Scored(likelihoods, [], [()] * len(pairs), [10] * len(pairs), [0] * len(pairs))

    def priors(self, queries: Sequence[str]) -> tuple[dict[str, float], int]:
        return {}, 0

    def hint_tokens(self, sequence: Any) -> list[str]:
        return []


def test_adaptive_depth_reads_what_the_adaptive_reranker_reads(client_of: Any) -> None:
    texts = [f"text {n}" for n in range(200)]
    config = RerankConfig().for_model(None)
    known: Any = _Known()
    local = AdaptiveReranker(ServiceReranker(config, known, Pace()), RULE)
    hits = local.rerank(QUERY, texts)
    with client_of(adaptive=True, rule=RULE) as client:
        answer = rerank(client, documents=texts)
    assert [result["index"] for result in answer["results"]] == [int(hit.docid) for hit in hits]
    assert answer["usage"]["total_tokens"] == local.last_report.tokens
    assert [result["relevance_score"] for result in answer["results"]] == shown_scores(hits, raw=False)


def test_hits_below_the_minimum_probability_are_left_out(client_of: Any) -> None:
    probabilities = {place: probability_of(score_of(CALIBRATED, QUERY, text)) for place, text in enumerate(TEXTS)}
    minimum = sorted(probabilities.values())[3]
    with client_of(adapters=(f"{CALIBRATED}=attention",), rerank=RerankConfig(minimum_probability=minimum)) as client:
        found = {result["index"]: result["relevance_score"] for result in rerank(client, model=CALIBRATED)["results"]}
    assert found == pytest.approx({place: one for place, one in probabilities.items() if one >= minimum})


def test_cascades_of_many_clients_share_turns_at_every_stage(tmp_path: Path) -> None:
    may_end = tmp_path / "end"

    async def checked() -> None:
        async with engine.Service(ServiceConfig(adapters=("other=attention",), batch_wait_ms=200)) as service:
            blocked = asyncio.create_task(service.rerank(None, QUERY, [f"until {may_end}"]))
            while not begun(may_end).exists():
                await asyncio.sleep(0.01)
            asked = [asyncio.create_task(service.rerank(CASCADE, QUERY, TEXTS)) for _ in range(8)]
            while service.waiting < 8 * 6:
                await asyncio.sleep(0.01)
            may_end.touch()
            for answer in await asyncio.gather(*asked):
                assert [hit.first_stage_rank - 1 for hit in answer.hits] == expected("tiny", "other")
            await blocked
            turns = service.metrics.registry.get_sample_value("qpeft_turn_seconds_count")
            assert turns is not None
            assert turns < 1 + 2 * 8 / 2

    asyncio.run(checked())


def test_a_cascade_that_nobody_waits_for_leaves_the_queue(tmp_path: Path) -> None:
    may_end = tmp_path / "end"

    async def checked() -> None:
        async with engine.Service(ServiceConfig(adapters=("other=attention",))) as service:
            blocked = asyncio.create_task(service.rerank(None, QUERY, [f"until {may_end}"]))
            while not begun(may_end).exists():
                await asyncio.sleep(0.01)
            gone = asyncio.create_task(service.rerank(CASCADE, QUERY, TEXTS))
            while not service.waiting:
                await asyncio.sleep(0.01)
            gone.cancel()
            while service.waiting:
                await asyncio.sleep(0.01)
            may_end.touch()
            await blocked

    asyncio.run(checked())


def test_probabilities_that_are_not_wanted_are_not_computed(client_of: Any) -> None:
    with client_of(adapters=(f"{CALIBRATED}=attention",)) as client:
        asked = []
        call = client.service.workers["scoring"].call

        async def noted(method: str, *arguments: Any) -> Any:
            asked.append(arguments[-1])
            return await call(method, *arguments)

        client.service.workers["scoring"].call = noted
        rerank(client, model=CALIBRATED, raw_scores=True)
        rerank(client, model=CALIBRATED)
        client.post("/score", json={"model": CALIBRATED, "queries": QUERY, "documents": TEXTS, "raw_scores": True})
        assert asked == [[], [QUERY], []]
