"""The first stage: runs Pyserini's search program with all its options and collects the hits that it would write.

The program is the main block of a module and not a function, so the module is run as `python -m pyserini.search.lucene`
runs it. Every option therefore means what it means in the installed version of Pyserini.
"""

import argparse
import contextlib
import io
import json
import logging
import runpy
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from pyserini_qpeft.candidates.texts import stored_text
from pyserini_qpeft.data.records import Run, ScoredDoc, Topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.stored import index_folder

_LOG = logging.getLogger(__name__)
_PROGRAM = "pyserini.search.lucene"


def search(arguments: Sequence[str], topics: Topics, *, progress: bool = False) -> Run:
    """Runs Pyserini's search program and returns its hits.

    Args:
        arguments: Command line of the program. Its `--topics` and output options are ignored.
        topics: The queries.
        progress: Whether to show the program's progress bar.

    Returns:
        A run with an entry for every query, in the order of the topics. The hits of a query are sorted by score,
        highest first.

    Raises:
        QPeftError: The program stops with a message, an option is wrong, or the index cannot be read.
    """
    _check(arguments)
    from jnius import JavaException
    from pyserini.output_writer import OutputWriter

    run: dict[str, list[ScoredDoc]] = {qid: [] for qid in topics}

    class IntoRun(OutputWriter):  # type: ignore[misc]
        """Replaces the program's writer and keeps the hits with unrounded scores."""

        def __enter__(self) -> "IntoRun":
            return self

        def __exit__(self, *exception: object) -> None: ...

        def write(self, topic: str, hits: Sequence[Any]) -> None:
            found = [
                ScoredDoc(docid, float(score), _winning_passage(hit) if self.use_max_passage else None)
                for docid, _, score, hit in self.hits_iterator(hits)
            ]
            # The program's --prcl changes the scores but not the order of the hits.
            run[str(topic)] = sorted(found, key=lambda hit: -hit.score)

    def writer(path: str, _format: object, *args: Any, **kwargs: Any) -> IntoRun:
        return IntoRun(path, *args, **kwargs)

    printed = io.StringIO()
    with _topics_file(topics) as file, contextlib.ExitStack() as stack:
        own = ["--topics", str(file), "--topics-format", "default", "--output", "run", "--output-format", "trec"]
        stack.enter_context(mock.patch.object(sys, "argv", [_PROGRAM, *arguments, *own]))
        stack.enter_context(mock.patch("pyserini.output_writer.get_output_writer", writer))
        stack.enter_context(contextlib.redirect_stdout(printed))
        if not progress:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        sys.modules.pop(f"{_PROGRAM}.__main__", None)  # runpy warns if the module was imported before
        try:
            runpy.run_module(_PROGRAM, run_name="__main__")
        except SystemExit as stop:
            message = printed.getvalue().strip().rpartition("\n")[2]
            raise QPeftError(f"Pyserini's search stopped: {message or stop}") from stop
        except (JavaException, OSError, TypeError, ValueError) as error:
            raise QPeftError(f"Pyserini's search failed: {getattr(error, 'innermessage', None) or error}.") from error
    _LOG.info("%s", printed.getvalue().strip())
    return run


def _check(arguments: Sequence[str]) -> None:
    program = load_pyserini(f"{_PROGRAM}.__main__")

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise QPeftError(f"Pyserini's search options: {message} (see python -m {_PROGRAM} --help).")

    parser = Parser(add_help=False)
    program.define_search_args(parser)
    args = parser.parse_args([*arguments, "--topics", ""])
    index_folder(args.index)  # Pyserini ends with a traceback if the index is missing


def _winning_passage(hit: Any) -> str | None:
    """The text of the passage that a document is returned for. The document's docid does not name the passage."""
    document = hit.lucene_document
    return stored_text(document.get("raw"), document.get("contents"))


@contextlib.contextmanager
def _topics_file(topics: Topics) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "topics.json")  # the one format in which Pyserini keeps qids as strings
        file.write_text(json.dumps({qid: {"title": query} for qid, query in topics.items()}), encoding="utf-8")
        yield file
