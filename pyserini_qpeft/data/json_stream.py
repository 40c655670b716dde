"""Reads the objects of a JSON file one after the other, with the memory of one object."""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO

from pyserini_qpeft.data.files import PathLike, numbered_lines, open_text, user_json_errors, user_read_errors
from pyserini_qpeft.errors import QPeftError

_CHUNK = 1 << 20
_LONGEST_TOKEN = 16  # an error so near to the end of a chunk may come from a literal or an escape that is cut
_BETWEEN = " \t\r\n,"
_TOKEN = re.compile(f"[^{_BETWEEN}]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class JsonPart:
    """A JSON value and its place in the file.

    Attributes:
        value: The value.
        line: Number of the line in which it begins, from 1.
        start: Its first byte.
        length: Its bytes.
    """

    value: Any
    line: int
    start: int
    length: int


def json_objects(
    path: PathLike, *, what: str, skip: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of a file, each with `file:line` of its begin.

    The file may be JSON lines, objects on several lines each, an array of objects, or one object of objects (Pyserini's
    DPR JSON), whose keys then become `_id`. Only the last is held in memory as a whole.

    Args:
        path: The file, gzipped or not.
        what: What the records are, for error messages.
        skip: Called with each line that begins an object. The object on a line for which it returns True is left out
            unparsed.

    Raises:
        QPeftError: The file does not exist, is empty or is not UTF-8, the JSON is broken, or a value is not an object.
    """
    with open_text(path) as file:
        for part in _Parser(file, path, what, skip).parts():
            where, value = f"{path}:{part.line}", _object(part, path, what)
            if is_object_of_objects(value):
                yield from ((f"{where}, entry {key}", {**entry, "_id": key}) for key, entry in value.items())
            else:
                yield where, value


def json_parts(file: BinaryIO, path: PathLike, *, what: str) -> Iterator[JsonPart]:
    """Yields the objects of a file as `json_objects` does, each with its place; an object of objects as a whole.

    Args:
        file: The content of the file, not gzipped. It stays open.
        path: Name of the file, for messages.
        what: What the records are, for messages.

    Raises:
        QPeftError: As `json_objects`.
    """
    file.seek(0)
    marked = file.read(3) == _BYTE_ORDER_MARK
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n")
    try:
        for part in _Parser(text, path, what, None, start=3 if marked else 0).parts():
            _object(part, path, what)
            yield part
    finally:
        text.detach()


def is_object_of_objects(value: dict[str, Any]) -> bool:
    """Whether the values of an object are the records, and its keys their ids."""
    return bool(value) and "query" not in value and all(isinstance(entry, dict) for entry in value.values())


def _object(part: JsonPart, path: PathLike, what: str) -> dict[str, Any]:
    if isinstance(part.value, dict):
        return part.value
    raise QPeftError(f"{path}:{part.line}: expected a JSON object for {what}, not {type(part.value).__name__}")


class _Parser:
    """Parses the values of a file from a buffer that begins in the current line."""

    def __init__(
        self, file: TextIO, path: PathLike, what: str, skip: Callable[[str], bool] | None, *, start: int | None = None
    ) -> None:
        self._file, self._path, self._what, self._skip = file, path, what, skip
        self._decoder = json.JSONDecoder()
        self._buffer, self._place, self._line = "", 0, 1
        self._byte = start  # None: bytes need not be counted, which takes time

    def parts(self) -> Iterator[JsonPart]:
        """Yields each value with its place. Brackets and commas around values are passed over."""
        opened = closed = found = False
        while token := self._next_token():
            first, found = not found, True
            if token in "[]":
                opened, closed = opened or token == "[", token == "]"
                self._pass(self._place + 1)
            elif opened or not self._skip_line():
                line, start = self._line, self._byte or 0
                value = self._value(first)
                yield JsonPart(value, line, start, (self._byte or 0) - start)
                if not opened:
                    self._expect_line_end()
        if opened and not closed:
            raise self._broken("the array is not closed; was the file copied whole?")
        if not found:
            raise QPeftError(f"{self._path} is empty, where {self._what} was expected")

    def _next_token(self) -> str:
        """The next character that is not between values; empty at the end of the file."""
        while True:
            match = _TOKEN.search(self._buffer, self._place)
            self._pass(match.start() if match else len(self._buffer))
            if match or not self._read():
                return match[0] if match else ""

    def _value(self, first: bool) -> Any:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._place)
            except json.JSONDecodeError as error:
                if first and self._buffer[self._place] not in '{["':
                    raise QPeftError(f"{self._path}:{self._line}: not JSON, where {self._what} was expected") from None
                seen = self._buffer[self._place : error.pos].rstrip()  # the object is broken at its end
                cut = error.msg.startswith("Unterminated") or len(self._buffer.rstrip()) - error.pos < _LONGEST_TOKEN
                if cut and self._read():
                    continue
                with user_json_errors(self._path, self._line):
                    raise json.JSONDecodeError(error.msg, seen, len(seen)) from None
            except (RecursionError, ValueError) as mistake:
                with user_json_errors(self._path, self._line):
                    raise mistake from None
            self._pass(end)
            return value

    def _skip_line(self) -> bool:
        if self._skip is None:
            return False
        line = self._rest_of_line().rstrip()
        if not line.endswith("}") or not self._skip(line):
            return False
        self._pass(self._place + len(line))
        return True

    def _expect_line_end(self) -> None:
        rest = self._rest_of_line()
        if rest.strip(_BETWEEN):
            raise self._broken("more text after the object; each object outside of an array needs its own line")

    def _rest_of_line(self) -> str:
        while (end := self._buffer.find("\n", self._place)) < 0:
            if not self._read():
                return self._buffer[self._place :]
        return self._buffer[self._place : end]

    def _pass(self, place: int) -> None:
        self._line += self._buffer.count("\n", self._place, place)
        if self._byte is not None:
            self._byte += len(self._buffer[self._place : place].encode())
        self._place = place

    def _read(self) -> bool:
        """Adds a chunk to what is left of the buffer; False at the end of the file."""
        rest = self._buffer[self._place :]
        with user_read_errors(self._path):
            try:
                more = self._file.read(max(_CHUNK, len(rest)))
            except UnicodeDecodeError:
                for _ in numbered_lines(self._path):  # stops at the line, and names it
                    pass
                raise
        self._buffer, self._place = rest + more, 0
        return bool(more)

    def _broken(self, reason: str) -> QPeftError:
        return QPeftError(f"{self._path}:{self._line}: broken JSON: {reason}")
