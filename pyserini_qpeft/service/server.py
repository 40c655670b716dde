"""Runs an application on uvicorn until it is told to stop, and answers what was accepted."""

import asyncio
import logging.config
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.config import LimitsConfig, ServerConfig
from pyserini_qpeft.service.logs import log_config

_STOP_SECONDS = 5.0


async def serve(
    make_app: Callable[[], Any],
    running: AbstractAsyncContextManager[Any],
    config: ServerConfig,
    limits: LimitsConfig,
    ready: Callable[[str], object],
) -> None:
    """Serve until Ctrl-C or SIGTERM. Requests that were accepted are answered before the server ends.

    Args:
        make_app: Returns the ASGI application. It is called while `running` is entered.
        running: Is entered before the first request and left after the last: the service.
        config: Where to listen.
        limits: Of connections and times.
        ready: Is called with the server's URL when it takes requests.

    Raises:
        QPeftError: The service cannot start, or the address cannot be listened on.
    """
    logging.config.dictConfig(log_config(config.log_level))
    server: uvicorn.Server | None = None
    starting = asyncio.timeout(None)

    def stop() -> None:
        if server is not None:
            server.should_exit = True
        with suppress(RuntimeError):  # it has started
            starting.reschedule(asyncio.get_running_loop().time())

    with _stop_signals(stop):
        async with AsyncExitStack() as stack:
            try:
                async with starting:
                    making = asyncio.create_task(asyncio.to_thread(make_app))
                    await stack.enter_async_context(running)
                    app = await making
            except TimeoutError:
                return
            server = uvicorn.Server(_settings(app, config, limits))
            listening = asyncio.create_task(_listen(server, config))
            while not server.started and not listening.done():
                await asyncio.sleep(0.01)
            if server.started:
                host, port = server.servers[0].sockets[0].getsockname()[:2]
                ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await listening


def _settings(app: Any, config: ServerConfig, limits: LimitsConfig) -> uvicorn.Config:
    class Protocol(TimedHead):
        head_seconds = limits.body_seconds

    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=Protocol,
        ws="none",
        loop="asyncio",
        log_config=log_config(config.log_level),  # again: fastmcp adds a handler when it is imported
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
        limit_concurrency=limits.connections,
        backlog=min(2048, 2 * limits.connections),
        timeout_graceful_shutdown=int(limits.request_seconds + limits.body_seconds + _STOP_SECONDS),
    )


async def _listen(server: uvicorn.Server, config: ServerConfig) -> None:
    try:
        await server.serve()
    except SystemExit as stop:
        raise QPeftError(f"cannot listen on {config.host} port {config.port}: is the port taken?") from stop


@contextmanager
def _stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` at SIGINT and SIGTERM, unless uvicorn takes the signals itself."""
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(stop)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class TimedHead(H11Protocol):
    """uvicorn's HTTP/1.1, which also closes a connection whose request has no complete head in time.

    Attributes:
        head_seconds: The time.
    """

    head_seconds = 30.0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._late = self.loop.call_later(self.head_seconds, self._close)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; its head may now be complete, or have begun."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._disarm()
        elif (self.cycle is None or self.cycle.response_complete) and self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        super().connection_lost(exc)

    def _close(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def _disarm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
