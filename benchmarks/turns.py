"""Runs tasks in turn in one process, and compares their times round by round."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from benchmarks.clock import ForwardClock, seconds_now


@dataclass(frozen=True, slots=True)
class Turn:
    """One timed call: seconds of wall clock, and the seconds of them inside the models' forward passes."""

    seconds: float
    inside: float

    @property
    def outside(self) -> float:
        """Seconds outside the models' forward passes."""
        return max(0.0, self.seconds - self.inside)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several values, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Computes the spread of one or more values."""
        listed = sorted(values)
        return cls(median(listed), listed[0], listed[-1])


@dataclass(frozen=True, slots=True)
class Task:
    """A call to be timed, and the models that it uses."""

    run: Callable[[], object]
    models: tuple[nn.Module, ...] = ()


def take_turns(tasks: Mapping[str, Task], rounds: int, log: Callable[[str], None]) -> dict[str, list[Turn]]:
    """Runs every task once in each round, one after the other: A B A B …

    Args:
        tasks: The tasks by name; they run in this order.
        rounds: Number of rounds.
        log: Receives a message about each turn.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in tasks}
    for number in range(1, rounds + 1):
        for name, task in tasks.items():
            turn = timed(task)
            log(f"round {number} of {rounds}: {name} took {turn.seconds:.2f} s")
            turns[name].append(turn)
    return turns


def timed(task: Task) -> Turn:
    """Runs a task once."""
    with ForwardClock(task.models) as clock:
        _wait_for_gpu()
        start = seconds_now()
        task.run()
        _wait_for_gpu()
        seconds = seconds_now() - start
        return Turn(seconds, clock.seconds())


def ratio(of: Iterable[Turn], to: Iterable[Turn]) -> Spread:
    """Returns how many times as long as `to` the turns `of` took, computed round by round."""
    return Spread.of(one.seconds / other.seconds for one, other in zip(of, to, strict=True))


def _wait_for_gpu() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
