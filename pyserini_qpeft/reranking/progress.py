"""The progress bar of reranking. It counts passages, because a whole query batch is scored together."""

from typing import Any

from tqdm.auto import tqdm


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
