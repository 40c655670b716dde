"""The passages of a large corpus in a database file (SQLite), from which a text is read by its docid."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from pyserini_qpeft.data.corpus import corpus_passages
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.errors import QPeftError

_ROWS_AT_ONCE = 10_000
FORMAT = 1
"""Part of the name under which a database is kept. To be raised when the tables or `passage.passage_text` change."""


class TextIndex(Mapping[str, str]):
    """Passages by docid, read from the file of an index when they are asked for. Threads may share it.

    Args:
        file: A file that `build_text_index` has written. It must not change.

    Raises:
        QPeftError: The file is not such an index.
    """

    def __init__(self, file: PathLike) -> None:
        self._file = Path(file)
        # Two threads that run the same query at once get the same statement of Python's cache, and each other's texts.
        self._lock = Lock()
        with self._own_errors():
            address = f"{self._file.absolute().as_uri()}?mode=ro&immutable=1"
            self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
            self._count = int(self._database.execute("SELECT count FROM size").fetchone()[0])

    def __getitem__(self, docid: str) -> str:
        found = self._first("SELECT text FROM passages WHERE docid = ? LIMIT 1", docid)
        if found is None:
            raise KeyError(docid)
        return str(found[0])

    def __contains__(self, docid: object) -> bool:
        return self._first("SELECT 1 FROM passages WHERE docid = ? LIMIT 1", docid) is not None

    def __iter__(self) -> Iterator[str]:
        with self._own_errors():
            cursor = self._database.cursor()
            with self._lock:
                cursor.execute("SELECT DISTINCT docid FROM passages")
            while rows := self._some(cursor):
                yield from (str(row[0]) for row in rows)

    def __len__(self) -> int:
        return self._count

    def _first(self, query: str, docid: object) -> Any:
        with self._own_errors(), self._lock:
            return self._database.execute(query, (docid,)).fetchone()

    def _some(self, cursor: sqlite3.Cursor) -> list[Any]:
        with self._lock:
            return cursor.fetchmany(_ROWS_AT_ONCE)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, TypeError) as error:
            raise QPeftError(
                f"{self._file} is no database of passages, or is damaged ({error}): delete its folder, and it is built "
                "again"
            ) from None


def build_text_index(corpus: PathLike, file: PathLike) -> None:
    """Reads a corpus once and writes its passages, in the memory of a few thousand of them.

    Args:
        corpus: As for `corpus.Corpus.open`.
        file: The file to write; it must not exist.

    Raises:
        QPeftError: There is no corpus, a record is not a document, a docid has two different texts, or the database
            cannot be written.
    """
    with _write_errors(file), closing(sqlite3.connect(file, isolation_level=None)) as database:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536", "temp_store = FILE"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE passages (docid TEXT NOT NULL, text TEXT NOT NULL)")
        database.execute("BEGIN")
        passages = corpus_passages(corpus)
        while rows := list(islice(passages, _ROWS_AT_ONCE)):
            database.executemany("INSERT INTO passages VALUES (?, ?)", rows)
        # Sorting once is faster than keeping the rows sorted.
        database.execute("CREATE INDEX by_docid ON passages (docid)")
        _refuse_two_texts(database, corpus)
        database.execute("CREATE TABLE size AS SELECT count(DISTINCT docid) AS count FROM passages")
        database.execute("COMMIT")


@contextmanager
def _write_errors(file: PathLike) -> Iterator[None]:
    """Turns errors of writing a database into one sentence.

    Raises:
        QPeftError: The database cannot be opened or written.
    """
    try:
        yield
    except sqlite3.Error as error:
        reason = str(error)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            # It sorts the docids in a temporary file.
            reason += "; it needs room there and in the folder for temporary files (SQLITE_TMPDIR)"
        raise QPeftError(f"cannot write {file}: {reason}") from error


def _refuse_two_texts(database: sqlite3.Connection, corpus: PathLike) -> None:
    twice = "SELECT docid FROM passages GROUP BY docid HAVING count(*) > 1"
    for (docid,) in database.execute(twice).fetchall():
        texts = database.execute("SELECT DISTINCT text FROM passages WHERE docid = ? LIMIT 2", (docid,)).fetchall()
        if len(texts) > 1:
            raise QPeftError(f"{corpus}: docid {docid} occurs a second time, with another text")
