"""Messages between the service and its worker processes: pickles, each behind its length.

Both ends are processes of one service, joined by a pipe that nobody else can open.
"""

import pickle
import struct
from typing import Any, BinaryIO, Literal, NamedTuple

_LENGTH = struct.Struct(">Q")

LENGTH_BYTES = _LENGTH.size


class Call(NamedTuple):
    """What the service asks of a worker."""

    number: int
    method: str
    arguments: tuple[Any, ...]


class Reply(NamedTuple):
    """What a worker answers.

    Attributes:
        number: That of the call.
        kind: `done`: `value` is the result. `mistake`: `value` is the sentence of a `QPeftError`. `failed`: `value` is
            the class of another error.
        value: See `kind`.
    """

    number: int
    kind: Literal["done", "mistake", "failed"]
    value: Any


def frame(message: object) -> bytes:
    """The bytes of a message."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def body_length(head: bytes) -> int:
    """How many bytes follow the first `LENGTH_BYTES` of a frame."""
    length: int = _LENGTH.unpack(head)[0]
    return length


def message(body: bytes) -> Any:
    """The message of a frame, given what stands behind its length."""
    return pickle.loads(body)


def read_frame(stream: BinaryIO) -> Any:
    """The next message of a stream; None at its end."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = body_length(head)
    body = stream.read(length)
    return message(body) if len(body) == length else None
