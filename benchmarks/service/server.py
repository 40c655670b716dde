"""The server that is measured: its start, its processor time, and its memory."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Self

import httpx2
import psutil

from benchmarks.service.options import LoadOptions

REQUEST_SECONDS = 600
"""The server answers within this time, so that many clients of a slow model are not refused."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes have used so far.

    Attributes:
        server_seconds: Processor time of the server.
        model_seconds: Processor time of the model's process.
        megabytes: Memory of each process by name.
    """

    server_seconds: float
    model_seconds: float
    megabytes: dict[str, float]


class MeasuredServer:
    """`qpeft serve` on a free port of this machine.

    Args:
        process: Its process.
        url: Where it listens.
        listens: Seconds from its start until it took requests.
    """

    def __init__(self, process: asyncio.subprocess.Process, url: str, listens: float) -> None:
        self.url = url
        self.listens = listens
        self.ready = listens
        self._process = process

    @classmethod
    async def start(cls, options: LoadOptions) -> Self:
        """Start it and wait until model and index are loaded."""
        began = time.perf_counter()
        dtype = ["--dtype", options.dtype] if options.dtype else []
        index = ["--index", str(options.index)] if options.index else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pyserini_qpeft.cli.__main__", "serve", "--port", "0", "--log-level", "warning"),
            *("--model", options.model, *dtype, *index, "--max-request-seconds", str(REQUEST_SECONDS)),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("serving"), "the server did not start"
        server = cls(process, line.split()[-1], time.perf_counter() - began)
        async with httpx2.AsyncClient(base_url=server.url, timeout=REQUEST_SECONDS) as session:
            while (await session.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)
        server.ready = time.perf_counter() - began
        return server

    async def stop(self) -> None:
        """Stop it, as systemd would."""
        self._process.send_signal(signal.SIGTERM)
        await self._process.wait()

    def usage(self) -> Usage:
        """What its processes have used so far."""
        server = psutil.Process(self._process.pid)
        workers = {_name(one): one for one in server.children()}
        return Usage(
            server_seconds=sum(server.cpu_times()[:2]),
            model_seconds=sum(workers["model"].cpu_times()[:2]),
            megabytes={name: one.memory_info().rss / 1e6 for name, one in {"server": server, **workers}.items()},
        )


def _name(worker: psutil.Process) -> str:
    return "search" if any("searching" in word for word in worker.cmdline()) else "model"
