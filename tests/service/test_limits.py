"""What each limit answers, and that others are served meanwhile."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers import wait_until
from stand_ins import begun, score_of

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.service.config import LimitsConfig, ServiceConfig
from pyserini_qpeft.service.engine import CLIENT, Service
from pyserini_qpeft.service.errors import ServiceError


def ask(client: Any, *texts: str, query: str = "q") -> Any:
    return client.post("/v1/rerank", json={"query": query, "documents": list(texts), "raw_scores": True})


def right(answer: Any, *texts: str, query: str = "q") -> bool:
    got = {result["index"]: result["relevance_score"] for result in answer.json()["results"]}
    return got == {place: score_of("tiny", query, text) for place, text in enumerate(texts)}


@pytest.mark.parametrize(
    ("limits", "texts", "code"),
    [
        ({"documents": 2}, ["a", "b", "c"], "documents"),
        ({"characters": 10}, ["0123456789"], "characters"),
        ({"body_bytes": 100}, ["x" * 100], "body_bytes"),
    ],
)
def test_what_is_too_large_gets_413_and_the_name_of_the_limit(
    client_of: Any, limits: dict[str, int], texts: list[str], code: str
) -> None:
    with client_of(limits) as client:
        answer = ask(client, *texts)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, code)
        assert right(ask(client, "a"), "a")
        assert f'qpeft_refused_total{{reason="{code}"}} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rerank", b'{"query": "a", "documents": [%s]}'),
        ("/rerank", b'{"query": "a", "texts": [%s]}'),
        ("/score", b'{"text_1": "a", "text_2": [%s]}'),
        ("/page/score", b'{"model": "tiny", "query": "a", "texts": [%s]}'),
        ("/v1/rerank", b'{"query": "a", "documents": ["a"], "rank_fields": [%s]}'),
    ],
)
@pytest.mark.parametrize("element", [b"{}", b"1", b'""'])
def test_a_million_elements_are_counted_and_not_read(client: Any, path: str, body: bytes, element: bytes) -> None:
    """Reading them takes minutes and gigabytes: each wrong one would have an error of its own."""
    content = body % b",".join([element] * 1_000_000)
    began = time.process_time()
    answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert time.process_time() - began < 20
    assert answer.status_code == 413
    assert len(answer.content) < 1000


def test_one_wrong_element_is_named_and_the_rest_is_not(client: Any) -> None:
    answer = client.post("/v1/rerank", json={"query": "a", "documents": ["a", *range(900)]})
    assert answer.status_code == 422
    assert "documents.1" in answer.json()["message"]
    assert len(answer.json()["detail"]) <= 2


def test_a_body_without_a_length_is_counted_as_it_comes(client_of: Any) -> None:
    sent = 0

    def body() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 1000

    with client_of({"body_bytes": 5000}) as client:
        answer = client.post("/v1/rerank", content=body(), headers={"content-type": "application/json"})
        assert answer.status_code == 413


def test_a_full_queue_gets_429_and_the_time_to_try_again(client_of: Any, tmp_path: Path) -> None:
    texts = [str(n) for n in range(19)]
    with client_of({"queue_documents": 20}) as client, ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask, client, f"until {tmp_path / 'end'}")
        wait_until(begun(tmp_path / "end").exists)
        asked = [pool.submit(ask, client, *texts) for _ in range(7)]
        wait_until(lambda: sum(future.done() for future in asked) == 6)
        (tmp_path / "end").touch()
        assert first.result().status_code == 200
        answers = [future.result() for future in asked]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 6
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert {answer.json()["error"]["code"] for answer in refused} == {"queue_full"}
        assert [right(answer, *texts) for answer in answers if answer.status_code == 200] == [True]
        assert right(ask(client, "a"), "a")


def test_a_request_without_an_answer_in_time_gets_503(client_of: Any, tmp_path: Path) -> None:
    with client_of({"request_seconds": 2}) as client:
        answer = ask(client, f"until {tmp_path / 'end'}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "timeout")
        assert int(answer.headers["retry-after"]) >= 1
        (tmp_path / "end").touch()
        wait_until(lambda: ask(client, "a").status_code == 200)
        assert right(ask(client, "a"), "a")


@pytest.mark.parametrize(("mishap", "status"), [("fail", 500), ("die", 503)])
def test_only_the_request_at_fault_fails(client_of: Any, tmp_path: Path, mishap: str, status: int) -> None:
    """The others share its turn, and after it has failed get turns without it."""
    with client_of() as client, ThreadPoolExecutor(6) as pool:
        waits = f"until {tmp_path / 'end'}"
        first = pool.submit(ask, client, waits)
        wait_until(begun(tmp_path / "end").exists)
        others = [pool.submit(ask, client, "a", "b", query=str(n)) for n in range(4)]
        faulty = pool.submit(ask, client, mishap)
        wait_until(lambda: client.service.waiting == 9)
        (tmp_path / "end").touch()
        answer = faulty.result()
        assert answer.status_code == status, answer.text
        assert right(first.result(), waits)
        for n, other in enumerate(others):
            assert right(other.result(), "a", "b", query=str(n))
        # A worker that is being started again is waited for.
        assert right(ask(client, "a"), "a")
        assert client.service.workers["scoring"].restarts == (0 if mishap == "fail" else 2)
        # Indexes are opened while the server answers already.
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert mishap not in client.get("/metrics").text.split()


def test_a_worker_that_is_killed_is_started_again_and_its_requests_are_answered(client_of: Any, tmp_path: Path) -> None:
    with client_of() as client, ThreadPoolExecutor(4) as pool:
        text = f"die once {tmp_path / 'dead'}"
        answers = [pool.submit(ask, client, text, str(n)) for n in range(4)]
        for n, answer in enumerate(answers):
            assert answer.result().status_code == 200, answer.result().text
            assert right(answer.result(), text, str(n))
        assert client.service.workers["scoring"].restarts >= 1
        assert 'qpeft_worker_restarts{worker="scoring"} ' in client.get("/metrics").text


def run(check: Callable[[Service], Any], **settings: Any) -> None:
    async def checked() -> None:
        async with Service(ServiceConfig(**settings)) as service:
            await check(service)

    asyncio.run(checked())


async def scores(service: Service, query: str, texts: list[str]) -> list[float | None]:
    """The likelihood of each text."""
    hits = (await service.rerank(None, query, texts)).hits
    return [hit.likelihood for hit in sorted(hits, key=lambda hit: hit.first_stage_rank)]


async def busy(service: Service, file: Path) -> "asyncio.Task[list[float | None]]":
    """A request that keeps the model busy until the file exists."""
    running = asyncio.create_task(scores(service, "q", [f"until {file}"]))
    while not begun(file).exists():
        await asyncio.sleep(0.01)
    return running


async def queued(service: Service, documents: int) -> None:
    """Returns when so many documents wait."""
    while service.waiting != documents:
        await asyncio.sleep(0.01)


def test_a_cancelled_request_leaves_the_queue(tmp_path: Path) -> None:
    async def check(service: Service) -> None:
        running = await busy(service, tmp_path / "end")
        waiting = asyncio.create_task(scores(service, "q", ["a"] * 500))
        await queued(service, 500)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert service.waiting == 0
        (tmp_path / "end").touch()
        assert await running == [score_of("tiny", "q", f"until {tmp_path / 'end'}")]

    run(check)


def test_explanations_that_nobody_waits_for_do_not_keep_the_model_busy(tmp_path: Path) -> None:
    """One that has begun goes on; those that wait leave nothing behind."""

    async def check(service: Service) -> None:
        files = [tmp_path / str(n) for n in range(20)]
        asked = [asyncio.create_task(service.explain(None, "q", f"until {file}")) for file in files]
        while not begun(files[0]).exists():
            await asyncio.sleep(0.01)
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)
        files[0].touch()
        assert await scores(service, "q", ["a"]) == [score_of("tiny", "q", "a")]
        assert (await service.explain(None, "q", "a")).score == score_of("tiny", "q", "a")
        assert [begun(file).exists() for file in files] == [True] + [False] * 19

    run(check)


def test_too_many_explanations_get_429(tmp_path: Path) -> None:
    async def check(service: Service) -> None:
        text = f"until {tmp_path / 'end'}"
        asked = [asyncio.create_task(service.explain(None, "q", text)) for _ in range(64)]
        while not begun(tmp_path / "end").exists():
            await asyncio.sleep(0.01)
        with pytest.raises(ServiceError, match="wait for the scoring process"):
            await service.explain(None, "q", "a")
        (tmp_path / "end").touch()
        for one in asked:
            one.cancel()

    run(check)


def test_requests_that_come_together_share_turns() -> None:
    async def check(service: Service) -> None:
        found = await asyncio.gather(*(scores(service, str(n), ["a", "b"]) for n in range(10)))
        assert found == [[score_of("tiny", str(n), text) for text in "ab"] for n in range(10)]
        text = service.metrics_text().decode()
        turns = float(
            next(line.split()[1] for line in text.splitlines() if line.startswith("qpeft_turn_seconds_count"))
        )
        assert turns <= 4

    run(check)


def test_a_client_with_less_than_its_share_is_accepted_though_the_queue_is_full(tmp_path: Path) -> None:
    async def check(service: Service) -> None:
        CLIENT.set("greedy")
        running = await busy(service, tmp_path / "end")
        greedy = asyncio.create_task(scores(service, "q", ["a"] * 20))
        await queued(service, 20)
        with pytest.raises(ServiceError, match="wait already"):
            await scores(service, "q", ["a"] * 20)
        CLIENT.set("modest")
        modest = asyncio.create_task(scores(service, "q", ["a"] * 5))
        await queued(service, 25)
        (tmp_path / "end").touch()
        assert len(await modest) == 5
        await asyncio.gather(running, greedy)

    run(check, limits=LimitsConfig(queue_documents=20))


def test_what_was_accepted_is_answered_before_the_service_stops() -> None:
    async def stopping() -> list[list[float | None]]:
        async with Service() as service:
            running = [asyncio.create_task(scores(service, "q", ["slow 0.2", str(n)])) for n in range(5)]
            await asyncio.sleep(0.05)  # they are accepted
        return await asyncio.gather(*running)

    assert asyncio.run(stopping()) == [[score_of("tiny", "q", text) for text in ("slow 0.2", str(n))] for n in range(5)]


@pytest.mark.parametrize(("model", "words"), [("broken", "cannot be loaded"), ("too-large", "ended while it loaded")])
def test_a_model_that_cannot_be_loaded_is_a_mistake_at_the_start(model: str, words: str) -> None:
    with pytest.raises(QPeftError, match=words):
        run(lambda service: asyncio.sleep(0), model=ModelConfig(model=model))


def test_a_worker_whose_answer_cannot_be_read_is_started_again() -> None:
    async def check(service: Service) -> None:
        with pytest.raises(ServiceError, match="ended in the middle"):
            await service.explain(None, "q", "unreadable")
        assert await scores(service, "q", ["a"]) == [score_of("tiny", "q", "a")]
        assert service.workers["scoring"].restarts == 1

    run(check)


@pytest.mark.parametrize("name", [field for field in LimitsConfig.__dataclass_fields__])
def test_a_limit_must_be_above_zero(name: str) -> None:
    with pytest.raises(QPeftError, match=name):
        LimitsConfig(**{name: 0})


def test_logs_hold_counts_and_no_text(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    from pyserini_qpeft.service.logs import JsonFormatter

    with caplog.at_level("INFO", logger="pyserini_qpeft"):
        ask(client, "confidential passage", query="confidential query")
        ask(client, "fail")
        client.post("/v1/rerank?secret=confidential", json={"query": 3, "documents": "confidential"})
        client.get("/confidential")
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [200, 500, 422, 404]
    assert requests[0]["documents"] == 1
    assert requests[0]["characters"] == len("confidential passage" + "confidential query")
    assert requests[0]["model"] == "tiny"
    assert math.isfinite(requests[0]["seconds"])
    assert "confidential" not in "".join(map(json.dumps, lines))
    assert "confidential" not in client.get("/metrics").text
