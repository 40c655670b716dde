"""The progress bar of reranking. It counts passages, because a whole query batch is scored together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from pyserini_qpeft.scoring.row_scorer import OnScored


def passage_bar(total: int, *, scored: int = 0, shown: bool) -> "tqdm[Any]":
    """A progress bar with passages, passages per second and the time left; use it as a context manager.

    Its `update` takes the number of passages that a batch has scored.

    Args:
        total: Passages of the whole run.
        scored: Passages that an earlier process has scored; the speed leaves them out.
        shown: Whether it is shown.
    """
    # The batches of a query batch begin with its longest passages, so only the mean speed says how long the rest takes.
    return tqdm(
        desc="rerank", total=total, initial=scored, unit=" passages", smoothing=0, miniters=1, disable=not shown
    )


def in_documents(on_scored: "OnScored", starts: Sequence[int]) -> "OnScored":
    """Count documents where windows are scored: after a part of the windows, this part of the documents.

    Args:
        on_scored: Is called with a number of documents.
        starts: Number of windows before each document, and at last the number of all.

    Returns:
        What is called with a number of windows. When all windows are scored, it has counted all documents.
    """
    windows = documents = 0

    def counted(scored: int) -> None:
        nonlocal windows, documents
        windows += scored
        before, documents = documents, (len(starts) - 1) * windows // starts[-1]
        on_scored(documents - before)

    return counted
