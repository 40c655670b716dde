"""Things that are compared take turns in one process, and are compared turn by turn."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from benchmarks.clock import ForwardClock


@dataclass(frozen=True, slots=True)
class Turn:
    """One timed call: seconds of wall clock, and how many of them the model's forward took."""

    seconds: float
    inside: float

    @property
    def outside(self) -> float:
        """Seconds that the model's forward did not take."""
        return max(0.0, self.seconds - self.inside)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of at least one value."""
        listed = sorted(values)
        return cls(median(listed), listed[0], listed[-1])


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be timed: a call, and the models whose forward it goes through."""

    run: Callable[[], object]
    models: tuple[nn.Module, ...] = ()


def take_turns(tasks: Mapping[str, Task], rounds: int, tell: Callable[[str], None]) -> dict[str, list[Turn]]:
    """Runs every task once in each round, one after the other: A B A B …

    Args:
        tasks: What is compared, by name; their order is kept.
        rounds: How often each is run.
        tell: Is told of every turn.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in tasks}
    for number in range(1, rounds + 1):
        for name, task in tasks.items():
            turn = timed(task)
            tell(f"round {number} of {rounds}: {name} took {turn.seconds:.2f} s")
            turns[name].append(turn)
    return turns


def timed(task: Task) -> Turn:
    """Runs a task once."""
    with ForwardClock(task.models) as clock:
        _wait_for_gpu()
        start = time.perf_counter()
        task.run()
        _wait_for_gpu()
        seconds = time.perf_counter() - start
        return Turn(seconds, clock.seconds())


def ratio(of: Iterable[Turn], to: Iterable[Turn]) -> Spread:
    """How many times longer than `to` the turns `of` took, round by round."""
    return Spread.of(one.seconds / other.seconds for one, other in zip(of, to, strict=True))


def _wait_for_gpu() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
