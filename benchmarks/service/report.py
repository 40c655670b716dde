"""The table of a load measurement."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from benchmarks.service.clients import Load
from benchmarks.service.options import LoadOptions
from benchmarks.service.server import Usage


@dataclass(frozen=True, slots=True)
class Round:
    """One number of clients in one round.

    Attributes:
        number: Of the round, from 0.
        load: What the clients saw.
        documents: Documents of all answered requests.
        offline: Documents per second of offline scoring, in the same round.
        offline_per_processor_second: The same per second of processor time.
        before: What the processes had used before.
        after: What they had used at the end.
    """

    number: int
    load: Load
    documents: int
    offline: float
    offline_per_processor_second: float
    before: Usage
    after: Usage

    @property
    def speed(self) -> float:
        """Documents per second."""
        return self.documents / self.load.seconds

    @property
    def model_share(self) -> float:
        """Documents per second of the model's processor time, as a share of offline scoring's."""
        seconds = self.after.model_seconds - self.before.model_seconds
        return self.documents / seconds / self.offline_per_processor_second

    @property
    def server_milliseconds(self) -> float:
        """Processor time of the server per document."""
        return 1000 * (self.after.server_seconds - self.before.server_seconds) / max(1, self.documents)


def load_table(options: LoadOptions, rounds: Sequence[Round]) -> str:
    """One row for each number of clients, over all rounds."""
    rows = []
    for clients in options.clients:
        own = [one for one in rounds if one.load.clients == clients]
        latencies = sorted(seconds for one in own for seconds in one.load.latencies)
        overheads = [seconds for one in own for seconds in one.load.overheads]
        row: dict[str, Any] = {
            "clients": clients,
            "answers": len(latencies),
            "wrong": sum(one.load.wrong for one in own),
            "refused": sum(one.load.refused for one in own),
            "documents/s": f"{statistics.median(one.speed for one in own):,.0f}",
            # With one client, the bare calls take half of the time.
            "of offline": "–" if clients == 1 else f"{statistics.median(one.speed / one.offline for one in own):.0%}",
            "of offline, processor time": f"{statistics.median(one.model_share for one in own):.0%}",
            "server, ms/document": f"{statistics.median(one.server_milliseconds for one in own):.2f}",
            **{f"p{p} ms": f"{1000 * percentile(latencies, p):,.0f}" for p in (50, 95, 99)},
            "over bare call, ms": f"{1000 * statistics.median(overheads):.1f}" if overheads else "–",
        }
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github")


def memory_table(rounds: Sequence[Round]) -> str:
    """Megabytes of each process at the end of each round."""
    last = {one.number: one.after.megabytes for one in rounds}
    rows = [
        {"round": number + 1, **{name: f"{size:,.0f}" for name, size in sizes.items()}}
        for number, sizes in last.items()
    ]
    return tabulate(rows, headers="keys", tablefmt="github")


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile of sorted values; NaN if there are none."""
    return values[min(len(values) - 1, math.ceil(len(values) * percent / 100) - 1)] if values else math.nan
