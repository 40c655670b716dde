"""Running text for the plain model: a number of characters from each source, in random order fixed by the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from recipes.base_model import docstrings, sources


def documents(shared: Path, characters: dict[str, int], seed: int) -> list[str]:
    """Returns documents with up to `characters[source]` characters of each source, in random order.

    Args:
        shared: Folder with `text/` and `data/`.
        characters: Largest number of characters by source; a source that is not named is not read.
        seed: Seed of the choice and the order of documents.
    """
    chosen: list[str] = []
    for source, budget in characters.items():
        everything = list(_documents_of(source, shared))
        random.Random(f"{seed}:{source}").shuffle(everything)
        size = 0
        for document in everything:
            if size >= budget:
                break
            chosen.append(document[: budget - size])
            size += len(document)
    random.Random(seed).shuffle(chosen)
    return chosen


def _documents_of(source: str, shared: Path) -> Iterator[str]:
    if source == "books":
        yield from sources.books(shared / "text" / "classic-books.txt.gz")
    elif source == "wikitext":
        yield from sources.wikitext(shared / "text" / "wikitext2-valid-test.txt.gz")
    elif source == "stdlib":
        yield from (p.full for p in docstrings.standard_library())
    elif source == "packages":
        yield from (p.full for p in docstrings.packages())
    elif source in sources.COLLECTIONS:
        yield from (p.full for p in sources.passages(shared / "data" / source))
    else:
        raise ValueError(f"there is no text source named {source!r}")
