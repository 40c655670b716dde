"""`python -m benchmarks.service.growth`: memory and processor time of a model's process over many turns.

Rows are padded to different multiples, each in a process of its own, with the environment of the service. Each turn has
45 passages of requests that are drawn at random, as in a service under load.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched, chain, repeat
from random import Random
from typing import Any

import psutil
from tabulate import tabulate

from benchmarks.service.options import LoadOptions, questions
from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.service.process import WorkerProcess

_PASSAGES = 45
_SHOWN = 10


@dataclass(frozen=True)
class GrowthOptions:
    """What is measured."""

    model: str = field(default="tiny", metadata={"help": "the model"})
    multiples: tuple[int, ...] = field(default=(1, 8), metadata={"help": "multiples to which rows are padded"})
    turns: int = field(default=60, metadata={"help": "turns of each"})


class Growth:
    """Scores turns, for a `WorkerProcess`.

    Args:
        settings: The model, and the multiple to which its rows are padded.
    """

    def __init__(self, settings: tuple[ModelConfig, int]) -> None:
        from pyserini_qpeft.models.loading import load_model
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        model, multiple = settings
        self._scorer = LikelihoodScorer(*load_model(model))
        self._scorer.row_scorer.multiple = multiple
        self.info = None

    def score(self, turns: Sequence[Sequence[tuple[str, str]]]) -> tuple[float, float]:
        """Megabytes in use after some turns, and milliseconds of processor time for each of their passages."""
        began = time.process_time()
        for pairs in turns:
            self._scorer.score(self._scorer.sequences(pairs))
        used = 1000 * (time.process_time() - began) / sum(map(len, turns))
        return psutil.Process().memory_info().rss / 1e6, used


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service.growth", description=__doc__)
    add_options(parser, GrowthOptions)
    print(asyncio.run(_measured(read_options(GrowthOptions, parser.parse_args(arguments)))))
    return 0


async def _measured(options: GrowthOptions) -> str:
    asked = questions(LoadOptions())
    rows: list[dict[str, Any]] = []
    for multiple in options.multiples:
        worker = WorkerProcess("growth", "benchmarks.service.growth:Growth", (ModelConfig(options.model), multiple))
        await worker.start()
        drawn = map(Random(1).choice, repeat(asked, options.turns * _PASSAGES // len(asked[0][1])))
        pairs = chain.from_iterable(((query, text) for text in texts) for query, texts in drawn)
        for number, turns in enumerate(batched(batched(pairs, _PASSAGES), _SHOWN), start=1):
            megabytes, used = await worker.call("score", turns)
            row = {"multiple": multiple, "turns": number * _SHOWN, "MB": f"{megabytes:,.0f}"}
            rows.append({**row, "ms of processor time per passage": f"{used:.1f}"})
        await worker.stop()
    return tabulate(rows, headers="keys", tablefmt="github")


if __name__ == "__main__":
    sys.exit(main())
