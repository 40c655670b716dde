"""Structured logs: one JSON object on each line, without the texts of users."""

import json
import logging
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST: ContextVar[dict[str, Any] | None] = ContextVar("REQUEST", default=None)
"""What is logged of the request at hand, which the code that answers it adds to: counts and names, never texts."""


def note(**fields: Any) -> None:
    """Add fields to the log line of the request at hand, if there is one; numbers of one name add up."""
    request = REQUEST.get()
    if request is None:
        return
    for name, value in fields.items():
        before = request.get(name)
        adds_up = isinstance(before, int | float) and isinstance(value, int | float)
        request[name] = before + value if adds_up else value


def note_scoring(model: str, documents: int, characters: int, tokens: int, began: float) -> None:
    """Note what was scored for a request, which began at this value of `time.perf_counter`."""
    seconds = round(time.perf_counter() - began, 4)
    note(model=model, documents=documents, characters=characters, tokens=tokens, scoring_seconds=seconds)


class JsonFormatter(logging.Formatter):
    """Writes a record as a line of JSON.

    Of an exception it writes the class and the places in the code. It leaves out the message, because it may quote the
    text of a user.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["at"] = [f"{at.filename}:{at.lineno}" for at in traceback.extract_tb(record.exc_info[2])]
        return json.dumps(line, ensure_ascii=False, default=str)


def log_config(level: str) -> dict[str, Any]:
    """The configuration of Python's logging for a server: JSON lines to standard error.

    Args:
        level: The least severe messages of the service that are logged; of other libraries, warnings are.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "pyserini_qpeft": {"level": level.upper()},
            # Its warnings quote queries.
            "pyserini_qpeft.reranking": {"level": "ERROR"},
            # These two bring handlers of their own.
            "uvicorn": {"level": "WARNING", "handlers": [], "propagate": True},
            "fastmcp": {"level": "WARNING", "handlers": [], "propagate": True},
            # It warns of enums in torchao whenever that is imported, in a form of its own.
            "torch.utils._pytree": {"level": "ERROR"},
        },
    }
