"""Groups of similar passages, which are hard to distinguish."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from recipes.base_model.made_queries import Rarity, words
from recipes.base_model.sources import Passage

# Sources whose passages are grouped by topic already; in other sources, similar passages are found by their words.
ADJACENT = ("books", "wikitext", "squad-v1.1-dev", "stdlib", "packages")
_CHUNK = 1000


def grouped(passages: Sequence[Passage], size: int, random: Random) -> Iterator[list[Passage]]:
    """Yields groups of `size` passages of one source in random order; a passage is in at most one group."""
    if not passages:
        return
    close = _by_group if passages[0].source in ADJACENT else _by_words
    order = close(passages, size, random)
    random.shuffle(order)
    for rows in order:
        yield [passages[row] for row in rows]


def _by_group(passages: Sequence[Passage], size: int, random: Random) -> list[list[int]]:
    members: dict[str, list[int]] = defaultdict(list)
    for row, passage in enumerate(passages):
        members[passage.group].append(row)
    order: list[list[int]] = []
    left: list[int] = []
    for rows in members.values():
        # The shift gives other groups in another pass over the source.
        shift = random.randrange(size)
        rows = rows[shift:] + rows[:shift]
        whole = len(rows) - len(rows) % size
        order += [rows[start : start + size] for start in range(0, whole, size)]
        left += rows[whole:]
    order += [left[start : start + size] for start in range(0, len(left) - size + 1, size)]
    return order


def _by_words(passages: Sequence[Passage], size: int, random: Random) -> list[list[int]]:
    vectors = _vectors([p.full for p in passages])
    free = np.ones(len(passages), dtype=bool)
    rows = list(range(len(passages)))
    random.shuffle(rows)
    order = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        nearest = _nearest(vectors, chunk, 8 * size)
        for row, near in zip(chunk, nearest, strict=True):
            if not free[row]:
                continue
            group = [row, *[int(other) for other in near if other != row and free[other]][: size - 1]]
            if len(group) == size:
                free[group] = False
                order.append(group)
    left = [row for row in rows if free[row]]
    order += [left[start : start + size] for start in range(0, len(left) - size + 1, size)]
    return order


def _vectors(texts: Sequence[str]) -> Any:
    from scipy.sparse import csr_matrix, diags

    rarity = Rarity.of(texts)
    kept = [word for word, count in rarity.counts.items() if 1 < count < max(3, len(texts) / 5)]
    numbers = {word: number for number, word in enumerate(kept)}
    row: list[int] = []
    column: list[int] = []
    value: list[float] = []
    for index, text in enumerate(texts):
        for word in sorted(set(words(text)) & numbers.keys()):
            row.append(index)
            column.append(numbers[word])
            value.append(rarity(word))
    matrix = csr_matrix((value, (row, column)), shape=(len(texts), max(1, len(numbers))), dtype=np.float32)  # type: ignore[type-var]
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return diags(1 / np.maximum(norms, 1e-6)) @ matrix


def _nearest(vectors: Any, chunk: Sequence[int], count: int) -> np.ndarray[Any, Any]:
    similarity = (vectors[chunk] @ vectors.T).toarray()
    count = min(count, similarity.shape[1] - 1)
    near = np.argpartition(-similarity, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(similarity, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1)
