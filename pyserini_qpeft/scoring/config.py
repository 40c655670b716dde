"""The settings of scoring. Only `passage_tokens`, `hints` and `passage_cache_dtype` change scores beyond rounding."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pyserini_qpeft.checks import check_whole
from pyserini_qpeft.errors import QPeftError

HintSource = Literal["own", "shuffled", "random"]
CacheDtype = Literal["model", "int8"]

_MEMORY_BESIDE_A_FOLDER = 1 << 30


@dataclass(frozen=True)
class ScoringConfig:
    """The settings of scoring.

    Attributes:
        passage_tokens: How many tokens of a passage are read; None is what the record of the model says, or 256.
            `LikelihoodScorer.config` shows the number.
        batch_tokens: Tokens per batch, padding included; None for a number that suits the device.
        query_batch_pairs: How many pairs are scored together; None for a number that suits model and device.
        share_passages: Whether a passage is read once for all queries of a query batch.
        passage_cache_bytes: Bytes of memory for the key-values that the passage cache keeps; 0 for no cache. None is
            1 GiB with a folder, and 0 without.
        passage_cache_folder: A folder that keeps key-values for later runs, or None.
        passage_cache_limit: Bytes of disk that the folder may take; the passages that were used longest ago are
            removed. None leaves the limit that the folder has.
        passage_cache_dtype: "model" keeps key-values in the model's dtype, "int8" as 8-bit integers.
        compile: Whether the model is compiled with torch.compile.
        hints: The source of the hints.

    A field whose metadata has `changes_result=False` changes scores by rounding at most: a run may be resumed with
    another value of it (see `reranking.rerank_run`).

    Raises:
        QPeftError: If a value is out of range, or a setting of the cache is given without a cache.
    """

    passage_tokens: int | None = field(
        default=None,
        metadata={
            "help": "tokens of a passage that the model reads; longer passages are cut at the end (default: as the "
            "model's record says, or 256)"
        },
    )
    batch_tokens: int | None = field(
        default=None,
        metadata={
            "changes_result": False,
            "help": "tokens per batch, padding included (default: chosen for the device)",
        },
    )
    query_batch_pairs: int | None = field(
        default=None,
        metadata={
            "changes_result": False,
            "help": "pairs per query batch: that many (query, passage) pairs are scored together. A larger number "
            "shares more passages, needs more memory, and loses more work if the run is stopped (default: chosen for "
            "model and device)",
        },
    )

    share_passages: bool = field(
        default=True,
        metadata={
            "changes_result": False,
            "help": "read a passage once for all queries of a query batch, if the model supports it; changes scores by "
            "rounding only",
        },
    )
    passage_cache_bytes: int | None = field(
        default=None,
        metadata={
            "changes_result": False,
            "unit": "bytes",
            "help": "memory for the passage cache (key-values of passages, reused by later queries), such as 4GB; 0 "
            "turns it off (default: 0, or 1GiB with a cache folder)",
        },
    )
    passage_cache_folder: Path | None = field(
        default=None,
        metadata={
            "changes_result": False,
            "help": "folder that keeps the passage cache on disk, for later runs with the same model",
        },
    )
    passage_cache_limit: int | None = field(
        default=None,
        metadata={
            "changes_result": False,
            "unit": "bytes",
            "help": "disk space that the cache folder may take, such as 20GB; the passages that were used longest ago "
            "are removed. The folder remembers it (default: the folder's limit; a new folder has none)",
        },
    )
    passage_cache_dtype: CacheDtype = field(
        default="model",
        metadata={
            "help": "how the passage cache keeps key-values: model = in the model's dtype, int8 = as 8-bit integers, "
            "which takes about half the space of bfloat16 and changes scores a little",
        },
    )

    compile: bool = field(
        default=False,
        metadata={
            "changes_result": False,
            "help": "compile the model with torch.compile, for long runs: the start takes up to some minutes longer, "
            "scoring is faster; a CPU needs a C++ compiler",
        },
    )

    hints: HintSource = field(
        default="own",
        metadata={
            "help": "where hints come from: own = the passage itself; for experiments also shuffled = another passage "
            "of the same query, and random = tokens of the passage drawn at random (retrieved hints only)"
        },
    )

    def __post_init__(self) -> None:
        for name in ("passage_tokens", "batch_tokens", "query_batch_pairs"):
            check_whole(getattr(self, name), name, 1)
        if self.hints not in get_args(HintSource):
            raise QPeftError(f"hints must be one of {', '.join(get_args(HintSource))}, not {self.hints!r}.")
        for name in ("passage_cache_bytes", "passage_cache_limit"):
            check_whole(getattr(self, name), name, 0)
        if self.passage_cache_dtype not in get_args(CacheDtype):
            raise QPeftError(f"passage_cache_dtype must be model or int8, not {self.passage_cache_dtype!r}.")
        if self.passage_cache_folder is not None and self.passage_cache_bytes == 0:
            raise QPeftError("a passage_cache_folder needs memory too: passage_cache_bytes must be above 0.")
        if self.passage_cache_folder is None and self.passage_cache_limit is not None:
            raise QPeftError("passage_cache_limit is the limit of a passage_cache_folder: name the folder.")
        if self.passage_cache_dtype == "int8" and not self.cache_bytes:
            raise QPeftError("passage_cache_dtype needs a passage cache: give passage_cache_bytes or a folder.")

    @property
    def cache_bytes(self) -> int:
        """Bytes of memory for the passage cache; 0 for no cache."""
        if self.passage_cache_bytes is not None:
            return self.passage_cache_bytes
        return 0 if self.passage_cache_folder is None else _MEMORY_BESIDE_A_FOLDER
