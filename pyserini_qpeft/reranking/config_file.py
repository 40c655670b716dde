"""A reranking configuration as a small JSON file: `qpeft tune` writes it, `qpeft rerank --config` reads it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from pyserini_qpeft.data.files import PathLike, atomic_write, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig

_PLAIN = ("depth", "below_depth")
_ABOUT = "tuned"


def write_rerank_config(path: PathLike, config: RerankConfig, tuned: Mapping[str, Any] | None = None) -> None:
    """Write depth, tail and fusion of a configuration; how scoring is done is the machine's business and stays out.

    Args:
        path: the file.
        config: the configuration.
        tuned: how it was found, kept for the reader under `tuned`.
    """
    written: dict[str, Any] = {name: getattr(config, name) for name in _PLAIN}
    written["fusion"] = None if config.fusion is None else asdict(config.fusion)
    if tuned is not None:
        written[_ABOUT] = dict(tuned)
    with atomic_write(path) as file:
        file.write(json.dumps(written, indent=2, ensure_ascii=False) + "\n")


def read_rerank_config(path: PathLike, base: RerankConfig | None = None) -> RerankConfig:
    """Read a configuration; what the file does not name keeps the value that it has in `base`.

    Raises:
        QPeftError: no such file, broken JSON, an unknown setting, or a value that does not exist.
    """
    read = parse_json(read_whole(path), path)
    if not isinstance(read, dict):
        raise QPeftError(f"{path}: expected a JSON object with depth, below_depth and fusion")
    try:
        _refuse_unknown(read, {*_PLAIN, "fusion", _ABOUT}, "the configuration")
        depth = read.get("depth")
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int)):
            raise QPeftError(f"depth must be a whole number or null, and is {depth!r}")
        found: dict[str, Any] = {name: read[name] for name in _PLAIN if name in read}
        if "fusion" in read:
            found["fusion"] = _fusion(read["fusion"])
        return replace(base or RerankConfig(), **found)
    except QPeftError as mistake:
        raise QPeftError(f"{path}: {mistake}") from None


def _fusion(read: Any) -> FusionConfig | None:
    if read is None:
        return None
    if not isinstance(read, dict):
        raise QPeftError("fusion must be an object with method, weight and rrf_k, or null")
    _refuse_unknown(read, {field.name for field in fields(FusionConfig)}, "fusion")
    for name in ("weight", "rrf_k"):
        if isinstance(read.get(name), bool) or not isinstance(read.get(name, 0), int | float):
            raise QPeftError(f"fusion: {name} must be a number, and is {read[name]!r}")
    return FusionConfig(**read)


def _refuse_unknown(read: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(read) - known)
    if unknown:
        raise QPeftError(f"{where}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
