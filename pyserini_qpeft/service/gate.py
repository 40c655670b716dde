"""What stands before the application: logs, who may ask, and how much a client may send."""

import asyncio
import logging
import re
import time
from collections.abc import Collection
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyserini_qpeft.service.access import Access
from pyserini_qpeft.service.config import LimitsConfig
from pyserini_qpeft.service.engine import CLIENT
from pyserini_qpeft.service.failures import failure
from pyserini_qpeft.service.logs import REQUEST
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.requests import MOST_TEXTS

logger = logging.getLogger("pyserini_qpeft.service.requests")

_DRAIN_SECONDS = 2.0
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}")


class LoggedRequests:
    """Logs and counts each request, and gives it an id.

    Args:
        app: The application.
        metrics: Counts. A path that is not the service's counts as "other".
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        number = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        peer = scope["client"][0] if scope.get("client") else ""
        fields: dict[str, Any] = {"request": number, "client": peer}
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", number.encode())]
            await send(message)

        remembered, client = REQUEST.set(fields), CLIENT.set(peer)
        try:
            await self._app(scope, receive, noting)
        finally:
            REQUEST.reset(remembered)
            CLIENT.reset(client)
            seconds = time.perf_counter() - began
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(path, status, seconds)
            shown = {"method": scope["method"], "path": path, "status": status, "seconds": round(seconds, 4)}
            logger.info("request", extra={"fields": {**shown, **fields}})


class Gate:
    """Refuses requests that may not ask, and bodies that are too large or too slow.

    The application gets a request when its body is complete.

    Args:
        app: The application.
        access: Who may ask.
        limits: How much.
        metrics: Counts what is refused.
        open_paths: Paths that need no token. One that ends in `/` stands for all below it.
    """

    def __init__(
        self, app: ASGIApp, access: Access, limits: LimitsConfig, metrics: Metrics, open_paths: Collection[str]
    ) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._metrics = metrics
        self._open = {path for path in open_paths if path == "/" or not path.endswith("/")}
        self._open_below = tuple(path for path in open_paths if path != "/" and path.endswith("/"))
        self._open_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        MOST_TEXTS.set(self._limits.documents)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _drain(receive, headers)
            await refusal(scope, receive, send)
            return
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive, send, headers)
            if body is not None:
                await self._app(scope, _replayed(body, receive), send)
        finally:
            self._open_bytes -= scope.pop("qpeft.bytes", 0)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._access.refuses_host(headers.get("host")):
            return failure(
                "the Host header names another machine; without a token only this machine is served.",
                status=421,
                code="wrong_host",
            )
        path = scope["path"]
        if self._access.needs_token and path not in self._open and not path.startswith(self._open_below):
            token = self._access.token_number(headers.get("authorization"))
            if token is None:
                self._metrics.refused("token")
                return failure(
                    "the token is missing or wrong: send it as Authorization: Bearer TOKEN.",
                    status=401,
                    code="wrong_token",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            CLIENT.set(f"{token} {CLIENT.get()}")
        # Without a type, another site's page could send a body through the browser of somebody at this machine.
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind != "application/json" and not kind.endswith("+json"):
            return failure("send the body as Content-Type: application/json.", status=415, code="not_json")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            return self._too_large()
        return None

    async def _body(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> bytes | None:
        """The body; None if it was refused."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    self._open_bytes += len(chunk)
                    scope["qpeft.bytes"] = size
                    refusal = None
                    if size > self._limits.body_bytes:
                        refusal = self._too_large()
                    elif self._open_bytes > self._limits.open_bytes:
                        self._metrics.refused("open_bytes")
                        refusal = failure(
                            "the requests at hand fill the memory that is set aside for them: try again later.",
                            status=429,
                            code="open_bytes",
                            retry_after=1,
                        )
                    if refusal is not None:
                        chunks.clear()
                        await _drain(receive, headers)
                        await refusal(scope, receive, send)
                        return None
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            self._metrics.refused("body_seconds")
            late = failure(
                f"the body was not complete within {self._limits.body_seconds:g} seconds.",
                status=408,
                code="body_seconds",
                headers={"Connection": "close"},
            )
            await late(scope, receive, send)
            return None

    def _too_large(self) -> Response:
        self._metrics.refused("body_bytes")
        return failure(
            f"the body is larger than the {self._limits.body_bytes} bytes of one request: send several requests.",
            status=413,
            code="body_bytes",
            headers={"Connection": "close"},
        )


async def _drain(receive: Receive, headers: Headers) -> None:
    """Read the rest of a refused body for a short time: many clients read no answer before they have sent everything.

    A client that waits for permission to send (`Expect: 100-continue`) gets none.
    """
    if "expect" in headers or ("content-length" not in headers and "transfer-encoding" not in headers):
        return
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one message, and then what `receive` gives."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
