"""`python -m benchmarks.service`: the service under load, beside offline scoring of the same pairs.

In turn, in rounds: offline scoring, then N clients that send requests over loopback for a bounded time, each N. Every
request is drawn from a pool whose scores were computed offline, and every answer is compared with them, so that a lost
or crossed answer shows. Ratios are computed within a round. With one client, a bare call scores each request right
before it is sent.
"""

import argparse
import asyncio
import json
import math
import os
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import psutil
from tabulate import tabulate
from transformers import AutoTokenizer

from benchmarks.generated import generate
from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import SHIPPED_MODEL
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.service.process import WorkerProcess

_TOLERANCE = {"float32": 1e-3}
"""Largest difference of a score from the offline one; other dtypes round more."""


@dataclass(frozen=True)
class LoadOptions:
    """What is measured."""

    model: str = field(default="tiny", metadata={"help": "the model"})
    dtype: str | None = field(default=None, metadata={"help": "its dtype (default: chosen for the device)"})
    clients: tuple[int, ...] = field(default=(1, 8, 64), metadata={"help": "numbers of clients"})
    seconds: float = field(default=20.0, metadata={"help": "time of each number of clients in a round"})
    rounds: int = field(default=3, metadata={"help": "rounds"})
    requests: int = field(default=60, metadata={"help": "different requests"})
    documents: int = field(default=20, metadata={"help": "documents in a request"})
    seed: int = field(default=1, metadata={"help": "seed of the texts"})
    output: Path | None = field(default=None, metadata={"help": "JSON file to write"})


Request = tuple[str, list[str]]


class Offline:
    """Scores pairs without a server, in a process of its own."""

    def __init__(self, settings: tuple[ModelConfig, ScoringConfig]) -> None:
        from pyserini_qpeft.models.loading import load_model
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        model, scoring = settings
        self._scorer = LikelihoodScorer(*load_model(model), scoring)
        self.info = {
            "batch_tokens": self._scorer.row_scorer.budget.tokens,
            "dtype": str(self._scorer.model.dtype).removeprefix("torch."),
        }

    def score(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[float], float, float]:
        """The scores, the seconds that they took, and the seconds of processor time."""
        began, used = time.perf_counter(), time.process_time()
        scores = self._scorer.score(self._scorer.sequences(pairs))
        return [float(score) for score in scores], time.perf_counter() - began, time.process_time() - used


@dataclass
class Load:
    """What N clients saw in one round.

    Attributes:
        clients: Their number.
        seconds: Until the last answer.
        latencies: Seconds of each answered request.
        wrong: Answers whose scores belong to another request, or to none.
        refused: Answers with another status than 200.
        overheads: With one client: seconds beyond the bare call.
        megabytes: Memory of the server and the model's process at the end.
        model_seconds: Processor time of the model's process.
        server_seconds: Processor time of the server.
    """

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    overheads: list[float] = field(default_factory=list)
    megabytes: float = 0.0
    model_seconds: float = 0.0
    server_seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    add_options(parser, LoadOptions)
    options = read_options(LoadOptions, parser.parse_args(arguments))
    print(asyncio.run(_measured(options)))
    return 0


async def _measured(options: LoadOptions) -> str:
    model = ModelConfig(model=options.model, dtype=options.dtype)
    pool = _pool(options)
    offline = WorkerProcess("offline", "benchmarks.service:Offline", (model, ScoringConfig()))
    await offline.start()
    pairs = [(query, text) for query, texts in pool for text in texts]
    scores, _, _ = await offline.call("score", pairs)
    starts = range(0, len(scores), options.documents)
    expected = [scores[start : start + options.documents] for start in starts]
    tolerance = _TOLERANCE.get(offline.info["dtype"], 0.1)
    process, url, ready_seconds = await _started(options)
    rounds: list[dict[str, Any]] = []
    try:
        await _round(1, 2.0, url, pool, expected, tolerance, None, options.seed)  # warm
        for number in range(options.rounds):
            _, took, used = await offline.call("score", pairs)
            alone = {"offline": len(pairs) / took, "offline_per_processor_second": len(pairs) / used}
            for clients in options.clients:
                bare = offline if clients == 1 else None
                seed = options.seed + 100 * number + clients
                before = _processor_seconds(process)
                load = await _round(clients, options.seconds, url, pool, expected, tolerance, bare, seed)
                after = _processor_seconds(process)
                load.server_seconds, load.model_seconds = after[0] - before[0], after[1] - before[1]
                load.megabytes = _megabytes(process)
                rounds.append({"round": number, **alone, **asdict(load)})
                print(f"round {number + 1}: {clients} clients, {len(load.latencies)} answers", file=sys.stderr)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        await offline.stop()
    if options.output is not None:
        options.output.write_text(json.dumps({"options": asdict(replace(options, output=None)), "rounds": rounds}))
    return _table(options, offline.info, rounds, ready_seconds)


def _pool(options: LoadOptions) -> list[Request]:
    draws = Random(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_MODEL)
    # No two requests share a passage: offline scoring would read it once.
    texts = list(generate(tokenizer, 1, options.requests * options.documents)[0][1])
    places = range(0, len(texts), options.documents)
    # The query quotes one of its texts, and no two are the same.
    return [
        (" ".join(draws.choice(texts[at : at + options.documents]).split()[:8]), texts[at : at + options.documents])
        for at in places
    ]


async def _started(options: LoadOptions) -> tuple[asyncio.subprocess.Process, str, float]:
    began = time.perf_counter()
    dtype = ["--dtype", options.dtype] if options.dtype else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyserini_qpeft.cli.__main__", "serve", "--port", "0", "--log-level", "warning"),
        *("--model", options.model, *dtype),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("serving"), "the server did not start"
    return process, line.split()[-1], time.perf_counter() - began


async def _round(
    clients: int,
    seconds: float,
    url: str,
    pool: list[Request],
    expected: list[list[float]],
    tolerance: float,
    bare: WorkerProcess | None,
    seed: int,
) -> Load:
    load = Load(clients)
    began = time.perf_counter()

    async def client(number: int) -> None:
        draws = Random(seed * 1000 + number)
        async with httpx2.AsyncClient(base_url=url, timeout=300) as session:
            while time.perf_counter() - began < seconds:
                place = draws.randrange(len(pool))
                query, texts = pool[place]
                alone = None
                if bare is not None:
                    alone = (await bare.call("score", [(query, text) for text in texts]))[1]
                sent = time.perf_counter()
                body = {"query": query, "documents": texts, "raw_scores": True, "return_documents": False}
                answer = await session.post("/v1/rerank", json=body)
                took = time.perf_counter() - sent
                if answer.status_code != 200:
                    load.refused += 1
                    await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
                    continue
                got = {result["index"]: result["relevance_score"] for result in answer.json()["results"]}
                wanted = expected[place]
                right = len(got) == len(wanted) and all(
                    math.isclose(got[i], score, abs_tol=tolerance) for i, score in enumerate(wanted)
                )
                load.wrong += not right
                load.latencies.append(took)
                if alone is not None:
                    load.overheads.append(took - alone)

    await asyncio.gather(*map(client, range(clients)))
    load.seconds = time.perf_counter() - began
    return load


def _megabytes(process: asyncio.subprocess.Process) -> float:
    parent = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in (parent, *parent.children())) / 1e6


def _processor_seconds(process: asyncio.subprocess.Process) -> tuple[float, float]:
    """Processor time of the server and of the model's process."""
    parent = psutil.Process(process.pid)
    (worker,) = parent.children()
    return tuple(sum(one.cpu_times()[:2]) for one in (parent, worker))  # type: ignore[return-value]


def _table(options: LoadOptions, info: dict[str, Any], rounds: list[dict[str, Any]], ready_seconds: float) -> str:
    rows = []
    for clients in options.clients:
        own = [one for one in rounds if one["clients"] == clients]
        latencies = sorted(seconds for one in own for seconds in one["latencies"])
        speeds = [len(one["latencies"]) * options.documents / one["seconds"] for one in own]
        shares = [speed / one["offline"] for speed, one in zip(speeds, own, strict=True)]
        counts = [len(one["latencies"]) * options.documents for one in own]
        work = [
            count / one["model_seconds"] / one["offline_per_processor_second"]
            for count, one in zip(counts, own, strict=True)
        ]
        server = [1000 * one["server_seconds"] / count for count, one in zip(counts, own, strict=True)]
        overheads = [seconds for one in own for seconds in one["overheads"]]
        rows.append(
            {
                "clients": clients,
                "answers": len(latencies),
                "wrong": sum(one["wrong"] for one in own),
                "refused": sum(one["refused"] for one in own),
                "documents/s": f"{statistics.median(speeds):,.0f}",
                # With one client, the bare calls take half of the time.
                "of offline": "–" if clients == 1 else f"{statistics.median(shares):.0%}",
                "of offline, processor time": f"{statistics.median(work):.0%}",
                "server, ms/document": f"{statistics.median(server):.2f}",
                **{f"p{p} ms": f"{1000 * _percentile(latencies, p):,.0f}" for p in (50, 95, 99)},
                "over bare call, ms": f"{1000 * statistics.median(overheads):.1f}" if overheads else "–",
                "memory, MB": " ".join(f"{one['megabytes']:,.0f}" for one in own),
            }
        )
    offline = statistics.median(one["offline"] for one in rounds)
    head = (
        f"{options.model}, {info['dtype']}, batches of {info['batch_tokens']} tokens; {options.documents} documents in "
        f"a request; offline {offline:,.0f} documents/s; ready after {ready_seconds:.1f} s"
    )
    return f"{head}\n\n{tabulate(rows, headers='keys', tablefmt='github')}"


def _percentile(values: Sequence[float], percent: int) -> float:
    return values[min(len(values) - 1, math.ceil(len(values) * percent / 100) - 1)] if values else math.nan


if __name__ == "__main__":
    sys.exit(main())
