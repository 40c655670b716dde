"""Comparisons take turns, and compare what was done in the same round."""

import time

import pytest
import torch
from tiny import adapted, tiny_model, tiny_tokenizer

from benchmarks.clock import ForwardClock
from benchmarks.turns import Spread, Task, Turn, ratio, take_turns, timed


def test_tasks_alternate() -> None:
    done: list[str] = []
    told: list[str] = []
    tasks = {name: Task(lambda name=name: done.append(name)) for name in "ABC"}
    turns = take_turns(tasks, 2, told.append)
    assert done == ["A", "B", "C", "A", "B", "C"]
    assert [len(of) for of in turns.values()] == [2, 2, 2]
    assert len(told) == 6


def test_a_ratio_is_taken_round_by_round() -> None:
    slow = [Turn(2.0, 0.0), Turn(30.0, 0.0), Turn(6.0, 0.0)]
    fast = [Turn(1.0, 0.0), Turn(10.0, 0.0), Turn(1.0, 0.0)]
    assert ratio(slow, fast) == Spread(3.0, 2.0, 6.0)


def test_a_slow_task_takes_longer_than_a_fast_one_and_its_time_is_outside_any_model() -> None:
    turns = take_turns({"slow": Task(lambda: time.sleep(0.06)), "fast": Task(lambda: time.sleep(0.01))}, 3, str)
    assert ratio(turns["slow"], turns["fast"]).low > 2
    assert all(turn.outside == turn.seconds >= 0.06 for turn in turns["slow"])


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_forward_is_timed_once_however_it_is_reached(wrapped: bool) -> None:
    model = adapted("llama", tiny_tokenizer()) if wrapped else tiny_model()
    base = model.get_base_model() if wrapped else model
    base.model.layers[0].register_forward_hook(lambda *_: time.sleep(0.05))
    ids = torch.arange(3, 9)[None]

    def run() -> None:
        time.sleep(0.1)
        base(input_ids=ids)
        base.model(input_ids=ids)

    turn = timed(Task(run, (model,)))
    assert 0.1 <= turn.inside < turn.seconds - 0.09
    assert turn.outside >= 0.1


def test_a_clock_leaves_no_hooks_behind() -> None:
    model = tiny_model()
    with ForwardClock([model]) as clock:
        model(input_ids=torch.arange(3, 9)[None])
    seconds = clock.seconds()
    model(input_ids=torch.arange(3, 9)[None])
    assert clock.seconds() == seconds > 0
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
