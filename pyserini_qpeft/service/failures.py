"""Errors as HTTP answers, in the shapes that clients read."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.errors import ServiceError
from pyserini_qpeft.service.hang_up import HungUpError
from pyserini_qpeft.service.metrics import Metrics
from pyserini_qpeft.service.requests import TOO_MANY

_HUNG_UP = 499
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "too_large_error",
    422: "invalid_request_error",
    429: "overloaded_error",
    500: "internal_error",
    503: "unavailable_error",
}
_TEI_TYPES = {413: "Validation", 422: "Tokenizer", 429: "Overloaded", 500: "Backend", 503: "Unhealthy"}


def failure(
    message: str,
    *,
    status: int,
    code: str,
    detail: Any = None,
    retry_after: int | None = None,
    texts_shape: bool = False,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that says what is wrong.

    Args:
        message: One sentence.
        status: HTTP status.
        code: A short name of the reason, for programs.
        detail: What FastAPI calls detail; None is the message.
        retry_after: Seconds after which another try makes sense.
        texts_shape: Whether the request has TEI's shape, and so the answer too.
        headers: More headers.
    """
    found = dict(headers or {})
    if retry_after is not None:
        found["Retry-After"] = str(retry_after)
    if texts_shape:
        body = {"error": message, "error_type": _TEI_TYPES.get(status, "Validation")}
        # TEI's name and status for a failure of the model.
        return JSONResponse(body, status_code=424 if status == 500 else status, headers=found)
    kind = _TYPES.get(status, "error")
    error = {"message": message, "type": kind, "code": code}
    detail = message if detail is None else detail
    return JSONResponse({"detail": detail, "message": message, "error": error}, status_code=status, headers=found)


def add_failures(app: FastAPI, metrics: Metrics) -> None:
    """Answer every error in these shapes.

    Args:
        app: The application.
        metrics: Counts requests with too many documents, and those whose client hung up.
    """

    @app.exception_handler(QPeftError)
    async def refused(request: Request, error: QPeftError) -> Response:
        known = error if isinstance(error, ServiceError) else ServiceError(str(error))
        return failure(
            str(error),
            status=known.status,
            code=known.code,
            retry_after=known.retry_after,
            texts_shape=_has_texts_shape(request),
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # What the client sent is left out of the answer: it can be large.
        detail = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
        first = detail[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "rerank", "tei")) or "the body"
        texts = isinstance(error.body, dict) and "texts" in error.body and "documents" not in error.body
        if first["type"] == TOO_MANY:
            metrics.refused("documents")
            return failure(f"{first['msg']}.", status=413, code="documents", detail=detail, texts_shape=texts)
        if first["type"] == "json_invalid":
            return failure("the body is not valid JSON.", status=400, code="invalid_json", detail=detail)
        return failure(f"{where}: {first['msg']}.", status=422, code="invalid", detail=detail, texts_shape=texts)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return failure(
            str(error.detail), status=error.status_code, code=f"http_{error.status_code}", headers=error.headers
        )

    @app.exception_handler(HungUpError)
    async def hung_up(request: Request, error: HungUpError) -> Response:
        metrics.cancelled()
        return Response(status_code=_HUNG_UP)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return failure(
            "the server failed; its log has more.",
            status=500,
            code="failed",
            texts_shape=_has_texts_shape(request),
        )


def _has_texts_shape(request: Request) -> bool:
    return bool(getattr(request.state, "texts_shape", False))
