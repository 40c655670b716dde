"""How long each query took, where a run's JSONL says so."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Latency:
    """Time per query, in seconds of wall clock.

    Attributes:
        queries: queries whose time is known.
        mean: their mean.
        p50: the median.
        p95: the 95th percentile.
    """

    queries: int
    mean: float
    p50: float
    p95: float


def summarise_latency(seconds: Mapping[str, float]) -> Latency | None:
    """The latency of a run from seconds by qid; None where no query has one."""
    if not seconds:
        return None
    times = np.array(list(seconds.values()), dtype=np.float64)
    return Latency(len(times), float(times.mean()), float(np.median(times)), float(np.percentile(times, 95)))
