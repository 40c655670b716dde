"""The tail: hits below the depth, which were not rescored."""

from collections.abc import Sequence
from typing import Literal, get_args

BelowDepth = Literal["keep", "drop"]
BELOW_DEPTH: tuple[str, ...] = get_args(BelowDepth)
"""What can become of the tail: `keep` it below the head in its order, or `drop` it."""


def score_tail(head: Sequence[float], count: int) -> list[float]:
    """Scores that place the tail safely below the head.

    Log-likelihoods are negative and first-stage scores mostly positive: a tail that kept its own scores would be
    lifted above the head by trec_eval, which sorts by score and knows no ranks.

    Args:
        head: Scores of the rescored hits, in any order.
        count: Number of hits in the tail.

    Returns:
        `count` scores below the lowest of the head, strictly descending, and so far apart that they stay so in the
        single precision to which trec_eval reads them.
    """
    lowest = min(head, default=0.0)
    # Single precision keeps 23 bits of a score, so a step of 2**-20 of it is at least eight of its smallest ones.
    step = max(1.0, abs(lowest) * 2.0**-20)
    return [lowest - place * step for place in range(1, count + 1)]
