"""A reranking configuration as a small JSON file: `qpeft tune` writes it, `qpeft rerank --config` reads it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pyserini_qpeft.data.files import PathLike, atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.windows.config import WindowConfig

_SIMPLE = ("depth", "below_depth")
_TUNED = "tuned"


def write_rerank_config(path: PathLike, config: RerankConfig, tuned: Mapping[str, Any] | None = None) -> None:
    """Write depth, margin, tail, fusion and windows of a configuration, but not how pairs are scored on this machine.

    Args:
        path: The file.
        config: The configuration.
        tuned: How it was found; written under `tuned` for people who read the file.
    """
    written: dict[str, Any] = {name: getattr(config, name) for name in _SIMPLE}
    written["fusion"] = None if config.fusion is None else asdict(config.fusion)
    if config.margin is not None:
        written["margin"] = config.margin
    if config.windows is not None:
        written["windows"] = asdict(config.windows)
    if tuned is not None:
        written[_TUNED] = dict(tuned)
    with atomic_write(path) as file:
        file.write(json.dumps(written, indent=2, ensure_ascii=False, default=_plain) + "\n")


def read_rerank_config(path: PathLike) -> RerankConfig:
    """Read a configuration; what the file does not name has its default.

    Args:
        path: The file.

    Raises:
        QPeftError: No such file, broken JSON, or an unknown setting or value.
    """
    read = parse_json(read_whole(path), path)
    if not isinstance(read, dict):
        raise QPeftError(f"{path}: expected a JSON object with depth, below_depth, fusion and windows")
    try:
        return as_rerank_config(read)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None


def as_rerank_config(read: Mapping[str, Any]) -> RerankConfig:
    """Turn the content of such a file into a configuration; what it does not name has its default.

    Args:
        read: `depth`, `margin`, `below_depth`, `fusion` and `windows`.

    Raises:
        QPeftError: An unknown setting or value.
    """
    _refuse_unknown(read, {*_SIMPLE, "margin", "fusion", "windows", _TUNED}, "the configuration")
    depth = read.get("depth")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int)):
        raise QPeftError(f"depth must be a whole number or null, and is {depth!r}")
    found: dict[str, Any] = {name: read[name] for name in _SIMPLE if name in read}
    if (margin := read.get("margin")) is not None:
        if not _is_number(margin):
            raise QPeftError(f"margin must be a number or null, and is {margin!r}")
        found["margin"] = margin
    if "fusion" in read:
        found["fusion"] = _fusion(read["fusion"])
    if read.get("windows") is not None:
        found["windows"] = _windows(read["windows"])
    return RerankConfig(**found)


def _plain(number: Any) -> Any:
    """A number of numpy as one of Python."""
    return number.item()


def _fusion(read: Any) -> FusionConfig | None:
    if read is None:
        return None
    if not isinstance(read, dict):
        raise QPeftError("fusion must be an object with method, weight and rrf_k, or null")
    _refuse_unknown(read, {field.name for field in fields(FusionConfig)}, "fusion")
    if not isinstance(read.get("method", ""), str):
        raise QPeftError(f"fusion: method must be a word, and is {read['method']!r}")
    if not _is_number(read.get("rrf_k", 0)):
        raise QPeftError(f"fusion: rrf_k must be a number, and is {read['rrf_k']!r}")
    if read.get("weight") is not None and not _is_number(read["weight"]):
        raise QPeftError(f"fusion: weight must be a number or null, and is {read['weight']!r}")
    return FusionConfig(**read)


def _windows(read: Any) -> WindowConfig:
    if not isinstance(read, dict):
        raise QPeftError("windows must be an object with combine, size and stride, or null")
    default = WindowConfig()
    _refuse_unknown(read, {field.name for field in fields(WindowConfig)}, "windows")
    for name, value in read.items():
        kinds = {type(getattr(default, name))}
        if kinds & {type(None), float}:
            kinds.add(int)
        if type(value) not in kinds:
            raise QPeftError(f"windows: {name} must be {' or '.join(sorted(map(_kind, kinds)))}, and is {value!r}")
    return WindowConfig(**read)


def _kind(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}.get(kind, "null")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_unknown(read: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(read) - known)
    if unknown:
        raise QPeftError(
            f"{where}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}."
            f"{did_you_mean(unknown[0], known)}"
        )
