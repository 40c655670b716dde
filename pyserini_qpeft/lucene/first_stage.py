"""The first stage: Pyserini's own search program with all its options, its hits taken where it would write them.

What the program does lies in a module's main block, not in a function, so the module is run as Python runs it for
`python -m pyserini.search.lucene`. Every option then means what it means to Pyserini, whichever version that is.
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
    """Run Pyserini's search program and return what it would have written.

    Args:
        arguments: Its command line; `--topics` and the output options in it are ignored.
        topics: The queries, whatever their source.
        progress: Whether the program may show its progress bar.

    Returns:
        A run with an entry for every topic, in the order of the topics; the hits of a query by falling score.

    Raises:
        QPeftError: The program stops with a message or with an error of the options or the index.
    """
    _check(arguments)
    from jnius import JavaException
    from pyserini.output_writer import OutputWriter

    run: Run = {qid: [] for qid in topics}

    class IntoRun(OutputWriter):  # type: ignore[misc]
        """Stands where the program's writer stands, and keeps the hits as they are, unrounded."""

        def __enter__(self) -> "IntoRun":
            return self

        def __exit__(self, *exception: object) -> None: ...

        def write(self, topic: str, hits: Sequence[Any]) -> None:
            found = [
                ScoredDoc(docid, float(score), _winning_passage(hit) if self.use_max_passage else None)
                for docid, _, score, hit in self.hits_iterator(hits)
            ]
            # The program's --prcl changes the scores and leaves the order as it was.
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
        sys.modules.pop(f"{_PROGRAM}.__main__", None)  # runpy warns of a module that was imported before
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
    index_folder(args.index)  # Pyserini answers a wrong one with a traceback


def _winning_passage(hit: Any) -> str | None:
    """The text of the passage for which a document is returned: its docid no longer says which one it was."""
    document = hit.lucene_document
    return stored_text(document.get("raw"), document.get("contents"))


@contextlib.contextmanager
def _topics_file(topics: Topics) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "topics.json")  # of the formats Pyserini reads, the one that leaves qids strings
        file.write_text(json.dumps({qid: {"title": query} for qid, query in topics.items()}), encoding="utf-8")
        yield file
