"""Reads the passages of a corpus into a folder of stored passages, before any query comes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.passage_cache import PassageCache
from pyserini_qpeft.scoring.passage_folder import PassageFolder
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.scoring.sizes import size_text
from pyserini_qpeft.scoring.stored_passages import StoredPassages

_TEXTS_AT_ONCE = 1024

OnRead = Callable[[int], object]
"""Called with the number of passages that were stored, after each batch of the model."""


@dataclass(frozen=True, slots=True)
class PreReadingPlan:
    """What is to be read.

    Attributes:
        passages: Different passages of the corpus. Texts that are equal as far as the model reads them count once.
        tokens: Their tokens, those of the instruction included.
        bytes: Disk space that all of them take.
        missing: Passages that are not stored yet.
        missing_tokens: Their tokens.
    """

    passages: int
    tokens: int
    bytes: int
    missing: int
    missing_tokens: int


class PreReader:
    """Reads texts with a scorer that has a cache folder. Passages that are stored already are not read again.

    Args:
        scorer: The scorer; its passage cache must be one with a folder.

    Raises:
        QPeftError: The scorer has no cache folder.
    """

    def __init__(self, scorer: LikelihoodScorer) -> None:
        if scorer.cache is None or scorer.cache.stored is None:
            raise QPeftError("reading passages in advance needs a folder for them: passage_cache_folder.")
        self._scorer = scorer
        self._cache: PassageCache = scorer.cache
        self._stored: StoredPassages = scorer.cache.stored

    @property
    def folder(self) -> PassageFolder:
        """The folder of stored passages."""
        return self._stored.folder

    def plan(self, texts: Iterable[str]) -> PreReadingPlan:
        """Counts what is to be read. Passages that are stored already count as used now.

        Raises:
            QPeftError: The limit of the folder or the free space on its disk cannot hold the passages. Texts are only
                counted until that is certain.
        """
        folder = self.folder
        folder.spare_used_from_now()
        limit, room = folder.limit, folder.room if folder.limit is None else None
        passages = tokens = size = missing = missing_tokens = missing_size = 0
        for group in self._groups(texts):
            absent = {ids.tobytes() for ids in self._absent(group)}
            for ids in group:
                needed = self._stored.file_bytes(len(ids))
                passages, tokens, size = passages + 1, tokens + len(ids), size + needed
                if ids.tobytes() in absent:
                    missing, missing_tokens, missing_size = (
                        missing + 1,
                        missing_tokens + len(ids),
                        missing_size + needed,
                    )
            if limit is not None and size > limit:
                raise QPeftError(_refusal(passages, size, f"the limit of {folder.folder} is {size_text(limit)}"))
            if room is not None and missing_size > room:
                free = f"{size_text(room)} of the disk of {folder.folder} can be used"
                raise QPeftError(_refusal(missing, missing_size, free))
        # With a limit, passages of other texts and models are removed, which frees space too.
        usable = folder.free + (0 if limit is None else max(0, folder.bytes + missing_size - limit))
        if missing_size > usable:
            free = f"{size_text(usable)} of the disk of {folder.folder} can be used"
            raise QPeftError(_refusal(missing, missing_size, free))
        return PreReadingPlan(passages, tokens, size, missing, missing_tokens)

    def read(self, texts: Iterable[str], on_read: OnRead | None = None) -> int:
        """Reads the texts that are not stored yet. A reading that was stopped goes on where it stopped.

        Args:
            texts: The texts; the same that were planned.
            on_read: Is called after each batch.

        Returns:
            The number of passages that were read.

        Raises:
            QPeftError: A passage cannot be stored.
        """
        count = 0
        for group in self._groups(texts):
            absent = self._absent(group)
            count += len(absent)
            self._cache.budget.run(self._cache.reader.lengths(absent), partial(self._store, absent, on_read))
        return count

    def _store(self, passages: Sequence[TokenIds], on_read: OnRead | None, rows: npt.NDArray[np.int64]) -> None:
        self._stored.save(self._cache.reader.read([passages[row] for row in rows]))
        if on_read is not None:
            on_read(len(rows))

    def _absent(self, group: Sequence[TokenIds]) -> list[TokenIds]:
        found = self._stored.stored(ids.tobytes() for ids in group)
        return [ids for ids in group if ids.tobytes() not in found]

    def _groups(self, texts: Iterable[str]) -> Iterator[list[TokenIds]]:
        """The token ids of the different passages, group by group."""
        seen: set[bytes] = set()
        for some in batched(texts, _TEXTS_AT_ONCE):
            group = {}
            for ids in self._scorer.passages(some):
                name = hashlib.blake2b(ids.tobytes(), digest_size=16).digest()
                if name not in seen:
                    seen.add(name)
                    group[name] = ids
            yield list(group.values())


def _refusal(passages: int, size: int, room: str) -> str:
    return (
        f"{passages:,} passages already take {size_text(size)}, and {room}: raise passage_cache_limit, free some "
        "space, keep the passages as int8 (passage_cache_dtype), or read fewer tokens of each (passage_tokens)."
    )
