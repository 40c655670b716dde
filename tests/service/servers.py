"""Servers in processes of their own, on loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

import httpx2
import psutil

ROOT = Path(__file__).parents[2]
STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in_server.py")), "serve", "--port", "0")
REAL = (sys.executable, "-m", "pyserini_qpeft.cli.__main__", "serve", "--port", "0")
SECONDS = 120


def wait_until(true: Callable[[], bool]) -> None:
    """Waits until a condition is true, however busy the machine is."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@dataclass
class Server:
    """A server that takes requests.

    Attributes:
        url: Where.
        process: Its process.
        log: What it writes to standard error.
    """

    url: str
    process: "subprocess.Popen[str]"
    log: IO[str]

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def post(self, body: Any, path: str = "/v1/rerank", **options: Any) -> httpx2.Response:
        return httpx2.post(self.url + path, json=body, timeout=SECONDS, **options)

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.url + path, timeout=SECONDS)

    def logged(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def megabytes(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def stop(self) -> int:
        """Ends it with SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@contextmanager
def running(*options: str, command: Sequence[str] = STAND_IN, **variables: str) -> Iterator[Server]:
    """Starts a server and waits until it takes requests."""
    variables = {"PYTHONPATH": str(ROOT), **variables}
    environment = {name: value for name, value in os.environ.items() if name != "QPEFT_TOKEN"} | variables
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=ROOT
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            log.seek(0)
            assert line.startswith("serving"), log.read()
            yield Server(line.split()[-1].strip().removesuffix("/mcp"), process, log)
        finally:
            process.kill()
            process.wait()
