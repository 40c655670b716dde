"""Mishaps on a real connection: the right status, the others served, nothing in the logs, memory flat."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from servers import ROOT, STAND_IN, Server, running, wait_until
from stand_ins import begun, score_of

HEAD = "POST /v1/rerank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
SECRET = "a-confidential-text"
SECONDS = 120


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("--max-body-seconds", "3") as server:
        assert serves(server)
        yield server


def serves(server: Server) -> bool:
    """Whether an ordinary request gets its own answer."""
    body = {"query": SECRET, "documents": ["a", "b"], "raw_scores": True}
    answer = server.post(body)
    got = {result["index"]: result["relevance_score"] for result in answer.json()["results"]}
    return got == {place: score_of("tiny", SECRET, text) for place, text in enumerate("ab")}


def connected(server: Server) -> socket.socket:
    connection = socket.create_connection(server.address, timeout=SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def status(connection: socket.socket) -> int:
    """The status of the answer; the rest is read until the server closes or has nothing to say."""
    line = connection.makefile("rb").readline()
    return int(line.split()[1])


@pytest.mark.parametrize("megabytes", [100, 1000])
def test_a_huge_body_gets_413_without_being_kept(server: Server, megabytes: int) -> None:
    """The larger one is that of 1,000 documents of 1 MB; the sender goes on until it is answered."""
    before = server.megabytes()
    size, most = megabytes * 1_000_000, 0.0
    with connected(server) as connection:
        connection.sendall(HEAD.format(size).encode() + b'{"query": "a", "documents": ["')
        connection.settimeout(0.0)
        chunk, sent, until = b"x" * 1_000_000, 0, time.monotonic() + SECONDS
        while sent < size and time.monotonic() < until:
            try:
                sent += connection.send(chunk)
            except BlockingIOError:
                time.sleep(0.002)
            except OSError:
                break
            most = max(most, server.megabytes())
            if readable(connection):
                break
        connection.settimeout(SECONDS)
        assert status(connection) == 413
    assert most < before + 30
    assert serves(server)


def readable(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def test_a_client_library_reads_the_refusal_of_its_100_megabytes(server: Server) -> None:
    answer = server.post({"query": "a", "documents": ["x" * 100_000_000]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_bytes")


def test_a_body_of_a_byte_a_second_gets_408_and_others_are_served(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD.format(1000).encode())
        began = time.monotonic()
        for _ in range(2):
            connection.sendall(b"{")
            assert serves(server)
            time.sleep(1)
        assert status(connection) == 408
        assert time.monotonic() - began < 60


def test_a_head_of_a_byte_a_second_gets_408_and_others_are_served(server: Server) -> None:
    with connected(server) as connection:
        began = time.monotonic()
        for byte in b"POST":
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            assert serves(server)
            time.sleep(1)
        assert status(connection) == 408
        assert time.monotonic() - began < 60


def test_a_silent_connection_is_closed(server: Server) -> None:
    with connected(server) as connection:
        assert status(connection) == 408


def send(connection: socket.socket, *texts: str) -> None:
    body = json.dumps({"query": "q", "documents": texts}).encode()
    connection.sendall(HEAD.format(len(body)).encode() + body)


def waiting(server: Server, documents: int) -> bool:
    return f"qpeft_queue_documents {documents:.1f}\n" in server.get("/metrics").text


def test_a_client_that_hangs_up_takes_its_documents_along(server: Server, tmp_path: Path) -> None:
    with connected(server) as first, connected(server) as second:
        send(first, f"until {tmp_path / 'end'}")
        wait_until(begun(tmp_path / "end").exists)
        send(second, *["a"] * 900)
        wait_until(lambda: waiting(server, 900))
        second.close()
        wait_until(lambda: waiting(server, 0))
        (tmp_path / "end").touch()
        assert status(first) == 200
    assert "qpeft_cancelled_total 1.0" in server.get("/metrics").text
    assert serves(server)


def test_a_worker_killed_from_outside_comes_back(server: Server) -> None:
    (worker,) = psutil.Process(server.process.pid).children()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.post, {"query": "q", "documents": ["slow 1"]})
        time.sleep(0.3)
        worker.send_signal(signal.SIGKILL)
        assert running.result().status_code == 200
    assert serves(server)
    assert [child.pid for child in psutil.Process(server.process.pid).children()] != [worker.pid]


def test_nothing_of_the_texts_is_in_the_logs(server: Server) -> None:
    server.post({"query": SECRET, "documents": ["fail"]})
    server.post({"query": 1, "documents": SECRET})
    # Equal scores of a first stage are warned of elsewhere, with the query.
    server.post({"query": SECRET, "documents": ["same", "same"], "model": "tiny@2,tiny@2"})
    lines: list[dict[str, Any]] = []
    deadline = time.monotonic() + SECONDS  # a request is logged after it is answered
    while not {200, 408, 413, 422, 500} <= {line.get("status") for line in lines}:
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)
        lines = [json.loads(line) for line in server.logged().splitlines(keepends=True) if line.endswith("\n")]
    assert all({"time", "level", "event"} <= set(line) for line in lines)
    assert SECRET not in server.logged()


def test_what_was_accepted_is_answered_after_sigterm(tmp_path: Path) -> None:
    with running() as server:
        connections = [connected(server) for _ in range(4)]
        send(connections[0], f"until {tmp_path / 'end'}")
        wait_until(begun(tmp_path / "end").exists)
        for connection in connections[1:]:
            send(connection, "a", "b")
        wait_until(lambda: waiting(server, 6))
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(server))
        (tmp_path / "end").touch()
        assert [status(connection) for connection in connections] == [200] * 4
        assert server.stop() == 0


def refuses(server: Server) -> bool:
    try:
        connected(server).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_start_of_a_large_model(number: signal.Signals) -> None:
    process = subprocess.Popen([*STAND_IN, "--model", "endless"], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        deadline = time.monotonic() + SECONDS
        while not (workers := psutil.Process(process.pid).children()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert not any(worker.is_running() for worker in workers)
    finally:
        process.kill()


@pytest.mark.parametrize(
    "options", [("--host", "0.0.0.0"), ("--max-documents", "0"), ("--token-file", "/no/such/file")]
)
def test_a_mistake_is_one_sentence(options: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError, match=r"^qpeft: error: [^\n]+\n$"), running(*options):
        pass


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with running() as server:
        port = str(server.address[1])
        with pytest.raises(AssertionError, match="is the port taken"), running("--port", port):
            pass


def test_the_token_of_a_file_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("right\n")
    with running("--token-file", str(file)) as server:
        body = {"query": "a", "documents": ["b"]}
        assert server.post(body).status_code == 401
        assert server.post(body, headers={"Authorization": "Bearer right"}).status_code == 200
        assert "right" not in server.logged()
