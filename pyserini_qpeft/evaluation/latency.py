"""The time per query, from the JSONL of a run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Latency:
    """Wall-clock time per query, in seconds.

    Attributes:
        queries: Number of queries whose time is known.
        mean: Mean.
        p50: Median.
        p95: 95th percentile.
    """

    queries: int
    mean: float
    p50: float
    p95: float


def summarise_latency(seconds: Mapping[str, float]) -> Latency | None:
    """Summarise the seconds of each qid; None if there are none."""
    if not seconds:
        return None
    times = np.array(list(seconds.values()), dtype=np.float64)
    return Latency(len(times), float(times.mean()), float(np.median(times)), float(np.percentile(times, 95)))
