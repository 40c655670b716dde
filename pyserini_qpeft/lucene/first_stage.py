"""The first stage: runs a search program of Pyserini with all its options and collects the hits that it would write.

Each program is the main block of a module and not a function, so the module is run as `python -m` runs it. Every option
therefore means what it means in the installed version of Pyserini.
"""

import argparse
import contextlib
import io
import logging
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from pyserini_qpeft.candidates.texts import TextSource, stored_text
from pyserini_qpeft.data.records import Run, ScoredDoc, Topics
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import hybrid
from pyserini_qpeft.lucene.encoder import cannot_load, open_query_encoder
from pyserini_qpeft.lucene.faiss_index import why_it_failed
from pyserini_qpeft.lucene.programs import Command, OptionParser, Program, command

_LOG = logging.getLogger(__name__)


def search(
    arguments: Sequence[str],
    topics: Topics,
    *,
    program: Program = "lucene",
    texts: TextSource | None = None,
    progress: bool = False,
) -> Run:
    """Runs one of Pyserini's search programs and returns its hits.

    Args:
        arguments: Command line of the program. Its topics and output options are ignored.
        topics: The queries.
        program: `lucene`, `faiss` or `hybrid`, the name under `pyserini.search`.
        texts: The texts of passages. Dense hits need them if the best passage stands for a document (--max-passage).
        progress: Whether to show the program's progress bar.

    Returns:
        A run with an entry for every query, in the order of the topics. The hits of a query are sorted by score,
        highest first.

    Raises:
        QPeftError: The program stops with a message, an option is wrong, or an index or encoder cannot be read.
    """
    ready = command(program, arguments)
    run: dict[str, list[ScoredDoc]] = {qid: [] for qid in topics}
    printed = io.StringIO()
    with contextlib.ExitStack() as stack:
        own = ["--topics", "topics", "--output", "hits", "--output-format", "trec"]
        stack.enter_context(mock.patch.object(sys, "argv", [ready.module, *ready.arguments, *own]))
        stack.enter_context(mock.patch("pyserini.query_iterator.get_query_iterator", _reader_of(topics)))
        stack.enter_context(mock.patch("pyserini.output_writer.get_output_writer", _writer_into(run, program, texts)))
        stack.enter_context(mock.patch.object(argparse.ArgumentParser, "error", _refuse))
        stack.enter_context(_query_encoder(ready))
        if program == "hybrid":
            stack.enter_context(hybrid.corrected())
        stack.enter_context(contextlib.redirect_stdout(printed))
        if not progress:
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        sys.modules.pop(f"{ready.module}.__main__", None)  # runpy warns if the module was imported before
        with _one_sentence(ready, printed):
            runpy.run_module(ready.module, run_name="__main__")
    _LOG.info("%s", printed.getvalue().strip())
    return run


def _reader_of(topics: Topics) -> Callable[..., Any]:
    """Replaces the function of Pyserini that reads topics. A file of them would be left behind by a killed process."""
    from pyserini.query_iterator import DefaultQueryIterator

    return lambda path, _format: DefaultQueryIterator({qid: {"title": query} for qid, query in topics.items()})


def _writer_into(run: dict[str, list[ScoredDoc]], program: Program, texts: TextSource | None) -> Callable[..., Any]:
    """Replaces the function of Pyserini that opens a writer: hits go into the run, with unrounded scores."""
    from pyserini.output_writer import OutputWriter

    class IntoRun(OutputWriter):  # type: ignore[misc]
        def __enter__(self) -> "IntoRun":
            return self

        def __exit__(self, *exception: object) -> None: ...

        def write(self, topic: str, hits: Sequence[Any]) -> None:
            found = [
                ScoredDoc(docid, float(score), _winning_passage(hit, texts) if self.use_max_passage else None)
                for docid, _, score, hit in self.hits_iterator(hits)
            ]
            # Lucene's --prcl changes the scores but not the order of the hits. The hybrid program leaves the order of
            # equal scores to chance.
            run[str(topic)] = sorted(found, key=lambda hit: (-hit.score, hit.docid if program == "hybrid" else ""))

    return lambda path, _format, *args, **kwargs: IntoRun(path, *args, **kwargs)


@contextlib.contextmanager
def _one_sentence(ready: Command, printed: io.StringIO) -> Iterator[None]:
    """Raises what the program raises as a `QPeftError`; its last printed line is the reason if it exits."""
    from jnius import JavaException

    try:
        yield
    except SystemExit as stop:
        message = printed.getvalue().strip().rpartition("\n")[2]
        raise QPeftError(f"Pyserini's search stopped: {message or stop}") from stop
    except AssertionError as error:
        if ready.dense_index is None:
            raise
        raise QPeftError(why_it_failed(ready.dense_index, _encoder(ready))) from error
    except KeyError as error:
        if "--encoded-queries" not in ready.arguments:
            raise
        raise QPeftError(f"the encoded queries have no vector of the query {error}.") from error
    except (ArithmeticError, JavaException, OSError, RuntimeError, TypeError, ValueError) as error:
        encoder = _encoder(ready)
        if encoder is not None and isinstance(error, OSError):
            raise cannot_load(encoder, error) from error
        reason = str(getattr(error, "innermessage", None) or error).strip().partition("\n")[0]
        raise QPeftError(f"Pyserini's search failed: {reason or type(error).__name__}.") from error


def _refuse(parser: argparse.ArgumentParser, message: str) -> None:
    OptionParser(prog=parser.prog).error(message)


def _query_encoder(ready: Command) -> contextlib.AbstractContextManager[Any]:
    """Gives the program an encoder under the name of the class "auto", which its options ask for."""
    encoder = ready.encoder
    if encoder is None:
        return contextlib.nullcontext()
    from pyserini.encode import query_encoder_class_map

    return mock.patch.dict(query_encoder_class_map, auto=lambda **_: open_query_encoder(encoder, ready.device))


def _encoder(ready: Command) -> str | None:
    """The encoder that the command names."""
    places = [place for place, word in enumerate(ready.arguments) if word == "--encoder"]
    return ready.arguments[places[-1] + 1] if places else None


def _winning_passage(hit: Any, texts: TextSource | None) -> str | None:
    """The text of the passage that a document is returned for. The document's docid does not name the passage."""
    document = getattr(hit, "lucene_document", None)
    if document is not None:
        return stored_text(document.get("raw"), document.get("contents"))
    return None if texts is None else texts(hit.docid)
