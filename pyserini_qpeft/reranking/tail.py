"""The tail: hits below the depth, which are not rescored."""

from collections.abc import Sequence
from typing import Literal, get_args

BelowDepth = Literal["keep", "drop"]
BELOW_DEPTH: tuple[str, ...] = get_args(BelowDepth)
"""What becomes of the tail: `keep` it below the rescored hits in its order, or `drop` it."""


def score_tail(head: Sequence[float], count: int) -> list[float]:
    """Scores that keep the tail below the rescored hits.

    Log-likelihoods are negative and first-stage scores mostly positive. trec_eval sorts by score and ignores ranks, so
    a tail with its first-stage scores would come before the rescored hits.

    Args:
        head: Scores of the rescored hits, in any order.
        count: Number of hits in the tail.

    Returns:
        `count` scores below the lowest of the head. They descend strictly, in single precision too, because trec_eval
        reads scores so.
    """
    lowest = min(head, default=0.0)
    # Single precision keeps 23 bits of a score, so a step of 2**-20 of it is at least eight of its smallest ones.
    step = max(1.0, abs(lowest) * 2.0**-20)
    return [lowest - place * step for place in range(1, count + 1)]
