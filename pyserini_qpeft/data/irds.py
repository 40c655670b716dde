"""Corpora, queries and qrels that ir_datasets knows by name, written `irds:beir/scifact/test`."""

from collections.abc import Iterator
from os import fspath
from typing import Any

from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.passage import title_and_text
from pyserini_qpeft.errors import QPeftError, did_you_mean

_PREFIX = "irds:"


def is_irds(path: PathLike) -> bool:
    """Whether a path is such a name."""
    return fspath(path).startswith(_PREFIX)


def irds_documents(path: PathLike) -> Iterator[tuple[str, str, str]]:
    """Yields docid, title (may be empty) and text of each document of a corpus.

    Args:
        path: The name with its prefix.

    Raises:
        QPeftError: There is no such name or it has no corpus, ir_datasets is not installed, or a download fails.
    """
    for document in _records(path, "docs"):
        fields = document._asdict()
        title, text = title_and_text(fields) or ("", document.default_text())
        yield str(document.doc_id), title, text


def irds_queries(path: PathLike) -> Iterator[tuple[str, str]]:
    """Yields id and text of each query; arguments and errors as for `irds_documents`."""
    return ((str(query.query_id), query.default_text()) for query in _records(path, "queries"))


def irds_qrels(path: PathLike) -> Iterator[tuple[str, str, int]]:
    """Yields qid, docid and grade of each judgement; arguments and errors as for `irds_documents`."""
    return ((str(one.query_id), str(one.doc_id), int(one.relevance)) for one in _records(path, "qrels"))


def _records(path: PathLike, kind: str) -> Iterator[Any]:
    name = fspath(path).removeprefix(_PREFIX)
    try:
        import ir_datasets
    except ImportError:
        raise QPeftError(f"{path} needs ir_datasets: pip install 'pyserini-qpeft[irds]'.") from None
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        close = did_you_mean(name, ir_datasets.registry)
        raise QPeftError(f"ir_datasets knows no {name!r}.{close} Its names are at https://ir-datasets.com.") from None
    if not getattr(dataset, f"has_{kind}")():
        raise QPeftError(f"{path} has no {kind}; look at https://ir-datasets.com for a name that has them.")
    try:
        yield from getattr(dataset, f"{kind}_iter")()
    except (Exception, SystemExit) as error:  # downloads and archives fail in many ways
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise QPeftError(
            f"cannot read the {kind} of {path}, which ir_datasets downloads once and keeps in ~/.ir_datasets "
            f"({reason}): try again with a network, or name files."
        ) from error
