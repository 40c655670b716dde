"""The stages of a cascade, as they are written on a command line or in a JSON file."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.files import parse_json, read_whole
from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.config_file import as_rerank_config
from pyserini_qpeft.reranking.fusion import choose_fusion

FORM = "MODEL[+ADAPTER]@DEPTH[~MARGIN][:FUSION][:WEIGHT]"
"""How a stage is written."""

_NUMBER = r"[0-9]+\.?[0-9]*|\.[0-9]+"
_STAGE = re.compile(
    rf"(?P<model>.+?)(?:\+(?P<adapter>[^+]+))?@(?P<depth>[0-9]+)(?:~(?P<margin>{_NUMBER}))?"
    rf"(?::(?P<fusion>[a-z]+))?(?::(?P<weight>{_NUMBER}))?"
)
_FILE_NAMES = {"model", "adapter", "depth", "margin", "fusion"}


@dataclass(frozen=True, slots=True)
class StageConfig:
    """A stage: the model, and how it reranks.

    Attributes:
        model: The model and adapter, and how they are loaded.
        config: Depth, margin, fusion and scoring.
    """

    model: ModelConfig
    config: RerankConfig

    def __str__(self) -> str:
        """The stage in short: `MODEL[+ADAPTER]@DEPTH[~MARGIN]`."""
        adapter = "" if self.model.adapter is None else f"+{self.model.adapter}"
        depth = "all" if self.config.depth is None else self.config.depth
        margin = "" if self.config.margin is None else f"~{self.config.margin:g}"
        return f"{self.model.model}{adapter}@{depth}{margin}"


@dataclass(frozen=True, slots=True)
class CascadeConfig:
    """A cascade of models.

    Attributes:
        stages: The stages, first to last.
        milliseconds: Time limit for each query over all stages, or None.
        progress: Whether a progress bar is shown.

    Raises:
        QPeftError: As for `check_stages`.
    """

    stages: tuple[StageConfig, ...]
    milliseconds: float | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        check_stages([stage.config for stage in self.stages])


def check_stages(stages: Sequence[RerankConfig]) -> None:
    """Refuse stages that cannot follow each other.

    Args:
        stages: The configuration of each stage.

    Raises:
        QPeftError: There is no stage, a stage is deeper than the stage before, a stage other than the first drops
            hits, or a stage has a minimum probability.
    """
    if not stages:
        raise QPeftError("a cascade needs at least one stage.")
    if any(stage.minimum_probability is not None for stage in stages):
        raise QPeftError("a cascade drops no hits by their probability: leave out minimum_probability.")
    for place, (before, stage) in enumerate(pairwise(stages), start=2):
        if _depth(stage) > _depth(before):
            words = ["all hits" if one.depth is None else f"{one.depth} hits" for one in (stage, before)]
            raise QPeftError(
                f"stage {place} of the cascade rescores {words[0]}, and stage {place - 1} only {words[1]}: a stage "
                "rescores hits of the stage before, so its depth must not be larger."
            )
        if stage.below_depth != "keep":
            raise QPeftError(
                f"stage {place} of the cascade drops the hits below its depth: only the first stage may drop hits."
            )


def needed_texts(hits: int, first: int, stages: Sequence[RerankConfig]) -> int:
    """How many of a query's first hits need a text. Later stages may rescore hits beyond the margin of the first one.

    Args:
        hits: How many hits the query has.
        first: How many of them the first stage rescores.
        stages: The configuration of each stage.
    """
    if stages[0].below_depth == "drop":
        return first
    return min(hits, max([first, *(hits if one.depth is None else one.depth for one in stages[1:])]))


def read_cascade(stages: str, model: ModelConfig | None = None, config: RerankConfig | None = None) -> CascadeConfig:
    """Read the stages of a cascade.

    Args:
        stages: Stages separated by commas, each `MODEL[+ADAPTER]@DEPTH[~MARGIN][:FUSION][:WEIGHT]`. `tiny@100` is the
            model `tiny` with its own adapter, which rescores 100 hits; `+none` is the bare model; `~1` rescores those
            of them whose score is at most 1 below the best; `:none` is no fusion; `:0.9` is the weight of the
            likelihood in the fusion. Or the name of a JSON file (`.json`): a list of objects with `model`, `adapter`,
            `depth`, `margin` and `fusion`, the last one as `qpeft tune` writes it. Depth `null` is all hits.
        model: How all models are loaded. It names no model and no adapter.
        config: The configuration of all stages, but for the fusion of stages that name one. Its time limit is that of
            the cascade, and its `below_depth` that of the first stage. It has no depth, margin or calibration.

    Raises:
        QPeftError: A stage is not written so, names an unknown fusion, or cannot follow the stage before; or something
            is set for all stages that each stage has for itself.
    """
    model, config = model or ModelConfig(), RerankConfig.checked(config)
    for name, shared_by_all in {"model": model, "adapter": model, "depth": config, "margin": config}.items():
        if getattr(shared_by_all, name) is not None:
            raise QPeftError(f"{name} is set for all stages of a cascade: each stage has its own, {FORM}.")
    if config.calibration is not None:
        raise QPeftError("a calibration is set for all stages of a cascade: it belongs to one model, leave it out.")
    shared = replace(config, milliseconds=None, progress=False)
    if stages.endswith(".json"):
        read = [_from_file(stages, place, one, model, shared) for place, one in enumerate(_file(stages), start=1)]
    else:
        read = [_from_words(words.strip(), model, shared) for words in stages.split(",")]
    first, *others = read
    kept = [replace(stage, config=replace(stage.config, below_depth="keep")) for stage in others]
    return CascadeConfig((first, *kept), config.milliseconds, config.progress)


def _from_words(words: str, model: ModelConfig, config: RerankConfig) -> StageConfig:
    found = _STAGE.fullmatch(words)
    if found is None:
        raise QPeftError(f"cannot read the stage {words!r}: write it as {FORM}, such as tiny@100.")
    weight = None if found["weight"] is None else float(found["weight"])
    try:
        fusion = choose_fusion(config.fusion, found["fusion"], weight)
    except QPeftError as mistake:
        raise QPeftError(f"stage {words!r}: {mistake}") from None
    own = replace(model, model=found["model"], adapter=found["adapter"])
    margin = None if found["margin"] is None else float(found["margin"])
    return StageConfig(own, replace(config, depth=int(found["depth"]), margin=margin, fusion=fusion))


def _file(path: str) -> list[Any]:
    read = parse_json(read_whole(Path(path)), path)
    if not isinstance(read, list) or not read:
        raise QPeftError(f"{path}: expected a list of stages, each an object with {', '.join(sorted(_FILE_NAMES))}")
    return read


def _from_file(path: str, place: int, read: Any, model: ModelConfig, config: RerankConfig) -> StageConfig:
    where = f"{path}: stage {place}"
    if not isinstance(read, Mapping) or not isinstance(read.get("model"), str) or "depth" not in read:
        raise QPeftError(f"{where} must be an object with at least model and depth")
    if unknown := sorted(read.keys() - _FILE_NAMES):
        raise QPeftError(f"{where}: unknown setting {unknown[0]!r}.{did_you_mean(unknown[0], _FILE_NAMES)}")
    if not isinstance(read.get("adapter"), str | None):
        raise QPeftError(f"{where}: adapter must be a name or null, and is {read['adapter']!r}")
    try:
        own = as_rerank_config({name: read[name] for name in ("depth", "margin", "fusion") if name in read})
    except QPeftError as mistake:
        raise QPeftError(f"{where}: {mistake}") from None
    fusion = own.fusion if "fusion" in read else config.fusion
    named = replace(model, model=read["model"], adapter=read.get("adapter"))
    return StageConfig(named, replace(config, depth=own.depth, margin=own.margin, fusion=fusion))


def _depth(config: RerankConfig) -> float:
    return math.inf if config.depth is None else config.depth
