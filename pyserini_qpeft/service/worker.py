"""A worker process: makes an object and calls its methods, one call after the other, until the service closes the pipe.

    python -m pyserini_qpeft.service.worker MODULE:CLASS

The first message holds the argument of the class. The class loads what it needs and has an attribute `info`, which is
the first answer.
"""

import gc
import logging
import logging.config
import os
import signal
import sys
from importlib import import_module
from typing import Any, BinaryIO

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.frames import Call, Reply, frame, read_frame
from pyserini_qpeft.service.logs import log_config

logger = logging.getLogger(__name__)


def serve(place: str, calls: BinaryIO, answers: BinaryIO) -> None:
    """Answers calls until the stream of calls ends.

    Args:
        place: The class, as `module:name`.
        calls: The frames of the settings and of the `Call`s.
        answers: Takes the frames of the `Reply`s.
    """

    def answer(reply: Reply) -> None:
        answers.write(frame(reply))
        answers.flush()

    # The objects of imported modules are no garbage. To look through them again and again takes a seventh of the start.
    gc.disable()
    made = _attempt(0, lambda: _class_at(place)(read_frame(calls)))
    gc.freeze()
    gc.enable()
    if made.kind != "done":
        answer(made)
        return
    subject = made.value
    answer(Reply(0, "done", subject.info))
    while (call := read_frame(calls)) is not None:
        number, method, arguments = Call(*call)
        answer(_attempt(number, lambda: getattr(subject, method)(*arguments)))  # noqa: B023 (called at once)


def _class_at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _attempt(number: int, action: Any) -> Reply:
    try:
        return Reply(number, "done", action())
    except QPeftError as error:
        return Reply(number, "mistake", str(error))
    except Exception as error:
        # The formatter leaves out the message, because it may hold texts of users.
        logger.exception("a call failed")
        return Reply(number, "failed", type(error).__name__)


def main() -> None:
    """Serves the class that the command line names, over standard input and output."""
    # The service stops its workers when it has answered. Ctrl-C and systemd signal the workers too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not mix with the answers.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    logging.config.dictConfig(log_config("warning"))
    serve(sys.argv[1], calls, answers)


if __name__ == "__main__":
    main()
