"""The queue is fair, loses nothing, and forgets what nobody waits for."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.service.queue import FairQueue, Job, estimated_costs


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def job(loop: asyncio.AbstractEventLoop, costs: list[int], client: str = "a", model: str = "m") -> Job:
    return Job(model, [("q", str(n)) for n in range(len(costs))], client, costs, loop.create_future())


requests = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("mn"), st.lists(st.integers(1, 100), min_size=1, max_size=12)),
    min_size=1,
    max_size=12,
)


@given(requests=requests, budget=st.integers(1, 300))
def test_every_document_is_taken_once_within_the_budget_and_with_its_model(
    loop: asyncio.AbstractEventLoop, requests: list[tuple[str, str, list[int]]], budget: int
) -> None:
    queue = FairQueue()
    jobs = [job(loop, costs, client, model) for client, model, costs in requests]
    for one in jobs:
        queue.add(one)
    assert queue.documents == sum(len(one.costs) for one in jobs)
    taken: Counter[tuple[int, int]] = Counter()
    while (turn := queue.take(lambda model: budget)) is not None:
        costs = [one.costs[place] for one, places in turn.parts for place in places]
        assert turn.cost == sum(costs)
        # The last document may pass the budget.
        assert turn.cost < budget + max(costs)
        assert {one.model for one, _ in turn.parts} == {turn.model}
        taken.update((id(one), place) for one, places in turn.parts for place in places)
    assert taken == Counter({(id(one), place): 1 for one in jobs for place in range(len(one.costs))})
    assert (queue.documents, queue.clients, set(queue.costs.values())) == (0, 0, {0})


def shared_ends(requests: list[tuple[str, int]]) -> list[float]:
    """How much work is done for all until each request ends, if a model that can be divided is shared equally.

    Args:
        requests: Client and work of each request.
    """
    left = {place: float(work) for place, (_, work) in enumerate(requests)}
    done, ends = 0.0, [0.0] * len(requests)
    while left:
        counts = Counter(requests[place][0] for place in left)
        parts = {place: 1 / counts[requests[place][0]] / len(counts) for place in left}
        step = min(left[place] / parts[place] for place in left)
        done += step
        for place in list(left):
            left[place] -= parts[place] * step
            if left[place] <= 1e-9:
                ends[place] = done
                del left[place]
    return ends


@given(requests=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), min_size=1, max_size=12))
def test_no_request_ends_later_than_with_its_equal_share(
    loop: asyncio.AbstractEventLoop, requests: list[tuple[str, int]]
) -> None:
    queue = FairQueue()
    jobs = [job(loop, [1] * work, client) for client, work in requests]
    for one in jobs:
        queue.add(one)
    done, ended = 0, {}
    while (turn := queue.take(lambda model: 1)) is not None:
        done += turn.cost
        ended |= {one: done for one, _ in turn.parts if not one.waiting}
    for one, end in zip(jobs, shared_ends(requests), strict=True):
        assert ended[one] <= end + 1 + 1e-6


def test_requests_of_one_size_end_one_after_the_other(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    jobs = [job(loop, [10] * 20, client) for client in "aaaabbbb"]
    for one in jobs:
        queue.add(one)
    for served in range(1, len(jobs) + 1):
        queue.take(lambda model: 200)
        assert sum(not one.waiting for one in jobs) == served


def test_a_client_that_always_asks_again_does_not_displace_a_long_request(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    long = job(loop, [1] * 100, "long")
    queue.add(long)
    for _ in range(12):
        queue.add(job(loop, [1] * 10, "short"))
        queue.take(lambda model: 10)
        queue.take(lambda model: 10)
    assert not long.waiting


def test_a_short_request_does_not_wait_for_a_long_one_of_the_same_client(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    long = job(loop, [10] * 1000)
    queue.add(long)
    for _ in range(5):
        queue.take(lambda model: 100)
    short = job(loop, [10] * 4)
    queue.add(short)
    turn = queue.take(lambda model: 100)
    assert turn is not None
    assert len(dict(turn.parts)[short]) == 4 or short.left - len(short.waiting) >= 4


def test_a_client_that_was_away_has_saved_up_nothing(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    busy = job(loop, [10] * 100, "busy")
    queue.add(busy)
    for _ in range(5):
        queue.take(lambda model: 100)
    back = job(loop, [10] * 100, "back")
    queue.add(back)
    for _ in range(5):
        queue.take(lambda model: 100)
    assert (len(busy.waiting), len(back.waiting)) == (0, 100)


def test_what_is_removed_is_not_taken(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    gone, stays = job(loop, [10] * 100), job(loop, [10])
    queue.add(gone)
    queue.add(stays)
    queue.take(lambda model: 50)
    queue.remove(gone)
    queue.remove(gone)
    turns = []
    while (turn := queue.take(lambda model: 50)) is not None:
        turns.append(turn)
    assert all(one is stays for turn in turns for one, _ in turn.parts)
    assert (queue.documents, queue.costs) == (0, {"m": 0})


def test_a_turn_that_failed_comes_back_and_a_request_alone_shares_with_nobody(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    jobs = [job(loop, [10] * 3), job(loop, [10] * 3, "b")]
    for one in jobs:
        queue.add(one)
    turn = queue.take(lambda model: 1000)
    assert turn is not None
    assert queue.take(lambda model: 1000) is None
    for one in jobs:
        one.alone = True
    queue.put_back(turn)
    assert queue.documents == 6
    for _ in jobs:
        turn = queue.take(lambda model: 1000)
        assert turn is not None
        assert len(turn.parts) == 1
        assert sorted(turn.parts[0][1]) == [0, 1, 2]


def test_a_request_that_is_answered_is_not_put_back(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    answered = job(loop, [10])
    queue.add(answered)
    turn = queue.take(lambda model: 10)
    assert turn is not None
    answered.done.cancel()
    queue.put_back(turn)
    assert queue.documents == 0


@given(st.lists(st.tuples(st.text(max_size=200), st.text(max_size=3000)), max_size=5))
def test_estimated_work_grows_with_the_text_up_to_what_is_read(pairs: list[tuple[str, str]]) -> None:
    for (query, text), cost in zip(pairs, estimated_costs(pairs, 256), strict=True):
        assert cost == 32 + len(query) // 4 + min(256, len(text) // 4)
