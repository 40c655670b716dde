"""`python -m benchmarks.service`: the service under load, beside offline scoring of the same pairs.

In turn, in rounds: offline scoring, then N clients that send requests over loopback for a bounded time, each N. Every
request is drawn from a pool whose scores were computed offline, and every answer is compared with them, so that a lost
or crossed answer shows. Ratios are computed within a round. With one client, a bare call scores each request right
before or after it is sent.

A run takes rounds * numbers of clients * (seconds + the last requests), and rounds + 1 times the offline scoring of all
requests. For a slow model, take fewer and shorter requests: --requests 12 --documents 10.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from benchmarks.service.clients import Clients
from benchmarks.service.options import LoadOptions, Request, questions
from benchmarks.service.report import Round, load_table, memory_table
from benchmarks.service.server import MeasuredServer
from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.service.process import WorkerProcess

_TOLERANCE = {"float32": 1e-3}
"""Largest difference of a score from the offline one; other dtypes round more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables, and writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    add_options(parser, LoadOptions)
    options = read_options(LoadOptions, parser.parse_args(arguments))
    print(asyncio.run(_measured(options)))
    return 0


async def _measured(options: LoadOptions) -> str:
    server = await MeasuredServer.start(options)
    settings = (ModelConfig(model=options.model, dtype=options.dtype), ScoringConfig())
    offline = WorkerProcess("offline", "benchmarks.service.offline:Offline", settings)
    await offline.start()
    try:
        rounds = await _rounds(options, server, offline)
    finally:
        await server.stop()
        await offline.stop()
    if options.output is not None:
        written = {"options": asdict(replace(options, index=None, output=None)), "rounds": list(map(asdict, rounds))}
        options.output.write_text(json.dumps(written))
    head = (
        f"{options.model}, {offline.info['dtype']}, batches of {offline.info['batch_tokens']} tokens; "
        f"{options.documents} documents in a request; offline "
        f"{statistics.median(one.offline for one in rounds):,.0f} documents/s; "
        f"listens after {server.listens:.1f} s, ready after {server.ready:.1f} s"
    )
    return f"{head}\n\n{load_table(options, rounds)}\n\nMemory, MB:\n\n{memory_table(rounds)}"


async def _rounds(options: LoadOptions, server: MeasuredServer, offline: WorkerProcess) -> list[Round]:
    asked = questions(options)
    pairs = [(query, text) for query, texts in asked for text in texts]
    scores, _, _ = await offline.call("score", pairs)
    pool = [
        Request(query, texts, scores[place * options.documents : (place + 1) * options.documents])
        for place, (query, texts) in enumerate(asked)
    ]
    clients = Clients(server.url, pool, _TOLERANCE.get(offline.info["dtype"], 0.1), offline)
    await clients.load(1, 2.0, options.seed)  # warm
    rounds = []
    for number in range(options.rounds):
        _, took, used = await offline.call("score", pairs)
        for count in options.clients:
            before = server.usage()
            load = await clients.load(count, options.seconds, options.seed + 100 * number + count)
            documents = len(load.latencies) * options.documents
            alone = len(pairs) / took, len(pairs) / used
            rounds.append(Round(number, load, documents, *alone, before, server.usage()))
            print(f"round {number + 1}: {count} clients, {len(load.latencies)} answers", file=sys.stderr)
    return rounds


if __name__ == "__main__":
    sys.exit(main())
