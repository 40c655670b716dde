"""Inputs that can be read only once: every reader gets all of them, and as often as it asks."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.files import numbered_lines
from pyserini_qpeft.data.fingerprint import file_fingerprint
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import holds_ranked_lists
from pyserini_qpeft.data.runs import format_of, read_run
from pyserini_qpeft.data.topics import read_answers, read_topics

pytestmark = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")

LONG = range(3000)  # longer than any buffer
FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "qrels": ("".join(f"q{n} 0 d{n} 1\n" for n in LONG), read_qrels),
    "run": ("".join(f"q{n} Q0 d{n} 1 2.5 t\n" for n in LONG), read_run),
    "msmarco run": ("".join(f"q{n}\td{n}\t1\n" for n in LONG), read_run),
    "json run": (
        "".join(f'{{"qid": "q{n}", "query": "a", "hits": [{{"docid": "d", "score": 1}}]}}\n' for n in LONG),
        lambda path: (format_of(path).name, holds_ranked_lists(path), read_run(path), read_topics(path)),
    ),
    "topics": ("".join(f"q{n}\tquery {n}\n" for n in LONG), read_topics),
    "trec topics": ("".join(f"<top>\n<num> {n}\n<title> query\n</top>\n" for n in LONG), read_topics),
    "answers": ("".join(f'{{"_id": "{n}", "text": "a", "answers": ["b"]}}\n' for n in LONG), read_answers),
    "corpus": ("".join(f'{{"_id": "{n}", "text": "a"}}\n' for n in LONG), lambda path: dict(Corpus.open(path))),
    "examples": (
        "".join(f'{{"question": "q{n}", "positive_ctxs": [{{"text": "a"}}]}}\n' for n in LONG),
        lambda path: read_examples([path])[0],
    ),
    "any": ("some text\n" * 3000, file_fingerprint),
}


@contextmanager
def pipe(content: bytes) -> Iterator[Path]:
    """A path as the shell's `<(…)` gives it."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield Path(f"/dev/fd/{reading}")
    finally:
        writer.join(60)
        os.close(reading)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_reads_as_the_file_does_and_more_than_once(name: str, zipped: bool, tmp_path: Path) -> None:
    text, read = FILES[name]
    content = gzip.compress(text.encode(), mtime=0) if zipped else text.encode()
    (tmp_path / "file").write_bytes(content)
    expected = read(tmp_path / "file")

    with pipe(content) as path:
        assert read(path) == expected
        assert read(path) == expected


@settings(max_examples=30)
@given(lines=st.lists(st.text("ab \u00e9", min_size=1).filter(str.strip), max_size=50), zipped=st.booleans())
def test_a_pipe_of_any_length_loses_nothing(lines: list[str], zipped: bool) -> None:
    content = "".join(f"{line * 200}\n" for line in lines).encode()

    with pipe(gzip.compress(content) if zipped else content) as path:
        assert [line for _, line in numbered_lines(path)] == [line * 200 for line in lines]


def test_standard_input_is_read_whole(tmp_path: Path) -> None:
    text, _ = FILES["qrels"]
    code = "from pyserini_qpeft.data.qrels import read_qrels; print(len(read_qrels('/dev/stdin')))"

    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True)

    assert done.stdout == "3000\n"
