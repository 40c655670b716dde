"""Comparisons take turns, and compare what was done in the same round."""

import pytest
import torch
from tiny import adapted, tiny_model, tiny_tokenizer

from benchmarks import clock
from benchmarks.clock import ForwardClock
from benchmarks.turns import Spread, Task, Turn, ratio, take_turns, timed


class StoppedTime:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> StoppedTime:
    stopped = StoppedTime()
    monkeypatch.setattr(clock, "time", stopped)
    return stopped


def test_tasks_alternate() -> None:
    done: list[str] = []
    messages: list[str] = []
    tasks = {name: Task(lambda name=name: done.append(name)) for name in "ABC"}
    taken = take_turns(tasks, 2, messages.append)
    assert done == ["A", "B", "C", "A", "B", "C"]
    assert [len(of) for of in taken.values()] == [2, 2, 2]
    assert len(messages) == 6


def test_a_ratio_is_taken_round_by_round() -> None:
    slow = [Turn(2.0, 0.0), Turn(30.0, 0.0), Turn(6.0, 0.0)]
    fast = [Turn(1.0, 0.0), Turn(10.0, 0.0), Turn(1.0, 0.0)]
    assert ratio(slow, fast) == Spread(3.0, 2.0, 6.0)


def test_a_slow_task_takes_longer_than_a_fast_one_and_its_time_is_outside_any_model(time: StoppedTime) -> None:
    taken = take_turns({"slow": Task(lambda: time.sleep(6.0)), "fast": Task(lambda: time.sleep(2.0))}, 3, str)
    assert ratio(taken["slow"], taken["fast"]) == Spread(3.0, 3.0, 3.0)
    assert all(turn.outside == turn.seconds == 6.0 for turn in taken["slow"])


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_forward_is_timed_once_however_it_is_reached(wrapped: bool, time: StoppedTime) -> None:
    model = adapted("llama", tiny_tokenizer()) if wrapped else tiny_model()
    base = model.get_base_model() if wrapped else model
    base.model.layers[0].register_forward_hook(lambda *_: time.sleep(2.0))
    ids = torch.arange(3, 9)[None]

    def run() -> None:
        time.sleep(10.0)
        base(input_ids=ids)
        base.model(input_ids=ids)

    turn = timed(Task(run, (model,)))
    assert (turn.inside, turn.outside, turn.seconds) == (4.0, 10.0, 14.0)


def test_a_clock_leaves_no_hooks_behind() -> None:
    model = tiny_model()
    with ForwardClock([model]) as watch:
        model(input_ids=torch.arange(3, 9)[None])
    seconds = watch.seconds()
    model(input_ids=torch.arange(3, 9)[None])
    assert watch.seconds() == seconds > 0
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
