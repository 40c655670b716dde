"""Measures the time that models spend in their forward pass."""

import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import torch
from torch import nn


def use_processor_time() -> None:
    """Measures seconds of processor time from now on.

    With one thread this is the time that the work would take on an idle machine, about: time in which other programs
    have the core does not count. With several threads it is the sum over them, which is no speed.
    """
    _clock.processor = True


def seconds_now() -> float:
    """Returns the time of the clock in seconds; only differences mean something."""
    return time.process_time() if _clock.processor else time.perf_counter()


class _Clock:
    processor = False


_clock = _Clock()


class ForwardClock:
    """A context that sums up the time of the forward passes of models.

    Both the causal model and its body are timed, but nested calls count once, so callers of either are measured. On a
    GPU the time is measured by GPU events, which needs no synchronisation.

    Args:
        models: transformers models, with or without peft.
    """

    def __init__(self, models: Iterable[nn.Module]) -> None:
        self._modules = [module for model in models for module in _watched(model)]
        self._hooks: list[Any] = []
        self._depth = threading.local()
        self._seconds = 0.0
        self._events: list[tuple[Any, Any]] = []

    def __enter__(self) -> Self:
        for module in self._modules:
            self._hooks.append(module.register_forward_pre_hook(self._enter))
            self._hooks.append(module.register_forward_hook(self._leave, always_call=True))
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def seconds(self) -> float:
        """Returns the seconds in forward passes since the context was entered; on a GPU, synchronise first."""
        on_gpu: float = sum(start.elapsed_time(end) for start, end in self._events) / 1000
        return self._seconds + on_gpu

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        depth = getattr(self._depth, "value", 0)
        self._depth.value = depth + 1
        if depth == 0:
            self._depth.start = _now(module)

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._depth.value -= 1
        if self._depth.value:
            return
        start, end = self._depth.start, _now(module)
        if isinstance(start, float):
            self._seconds += end - start
        else:
            self._events.append((start, end))


def _watched(model: nn.Module) -> list[nn.Module]:
    """Returns the transformers model inside peft, and its body."""
    base: Any = model
    while hasattr(base, "get_base_model"):
        base = base.get_base_model()
    body = getattr(base, getattr(base, "base_model_prefix", ""), None)
    return [base] if body is None or body is base else [base, body]


def _now(module: nn.Module) -> Any:
    if next(module.parameters()).device.type != "cuda":
        return seconds_now()
    event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event
