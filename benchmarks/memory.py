"""Measures the peak memory of a function, in a separate process."""

import ctypes
import gc
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Self

import psutil
import torch
from torch import nn

from benchmarks.quiet import quiet

_EVERY = 0.002  # seconds between measurements of the process's memory


class Watermark:
    """A context that measures the peak memory of this process, or of the GPU.

    Args:
        device: The device of the models.
        models: Models that are loaded already. Their weights are read first, because weights in a memory-mapped file
            use memory only after they have been read.

    Attributes:
        above: Peak memory in bytes, minus the memory at the start.
    """

    def __init__(self, device: str, models: Iterable[nn.Module] = ()) -> None:
        self.above = 0
        self._gpu = device if device.startswith("cuda") else None
        self._models = tuple(models)
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        for model in self._models:
            for weight in model.parameters():
                weight.detach().sum()
        gc.collect()
        _return_free_memory()
        self._start = self._used()
        if self._gpu:
            torch.cuda.reset_peak_memory_stats(self._gpu)
        else:
            self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._gpu:
            self.above = torch.cuda.max_memory_allocated(self._gpu) - self._start
            return
        self._stop.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY):
            self.above = max(self.above, self._used() - self._start)

    def _used(self) -> int:
        return int(torch.cuda.memory_allocated(self._gpu) if self._gpu else psutil.Process().memory_info().rss)


def in_own_process[Outcome](function: Callable[..., Outcome], *arguments: Any) -> Outcome:
    """Calls a function of a module in a new process, and returns or raises what it returns or raises.

    The new process is forked from one that has only imported the packages.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.rivals.ours", "benchmarks.subjects"])
    with ProcessPoolExecutor(1, mp_context=context, initializer=quiet) as pool:
        return pool.submit(function, *arguments).result()


def _return_free_memory() -> None:
    """Lets the C library return freed memory to the system; otherwise reused memory would not be measured."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
