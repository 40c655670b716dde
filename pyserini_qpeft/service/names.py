"""The names under which models, cascades and indexes are served."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.cascade.config import StageConfig, read_cascade
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.kinds import is_lucene_index
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.registry import DEFAULT_MODEL
from pyserini_qpeft.models.source import looks_like_a_path
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.errors import unknown_name
from pyserini_qpeft.service.scoring import ScoringSettings


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that requests name.

    Attributes:
        name: The name in requests.
        model: Base model and adapter.
        config: How it reranks.
        adaptive: Whether reading stops before the depth (adaptive depth).
        rule: When it stops; None is the rule that comes with the model.
    """

    name: str
    model: ModelConfig
    config: RerankConfig
    adaptive: bool = False
    rule: StoppingRule | None = None

    @property
    def base(self) -> str:
        """Name, hub id or folder of the base model."""
        return self.model.model or DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class ServedCascade:
    """A cascade that requests name.

    Attributes:
        name: The name in requests.
        stages: The models of the stages, first to last, each with the configuration of its stage.
        milliseconds: Time limit for each query over all stages; None is none.
    """

    name: str
    stages: tuple[ServedModel, ...]
    milliseconds: float | None = None


Served = ServedModel | ServedCascade

MOST_STAGES = 8
"""The most stages of a cascade in a request, because each stage can score all documents of the request again."""


def served_models(config: ServiceConfig) -> dict[str, Served]:
    """The models and the cascade that a configuration serves, by name; the first is the default.

    Raises:
        QPeftError: Two have the same name, the cascade cannot be read, or adapters or adaptive depth are given with a
            cascade.
    """
    if config.cascade is None:
        base = config.model.model or DEFAULT_MODEL
        named = _named((_last_part(base), config.model.adapter), config.adapters, "model", "--adapters")
        (first, adapter), *others = named.items()
        served: dict[str, Served] = {
            first: ServedModel(
                first, replace(config.model, adapter=adapter), config.rerank, config.adaptive, config.rule
            )
        }
        # A calibration and a stopping rule that are given belong to the adapter that is given.
        shared = replace(config.rerank, calibration=None)
        for name, adapter in others:
            served[name] = ServedModel(name, replace(config.model, adapter=adapter), shared, config.adaptive)
        return served
    if config.adapters:
        raise QPeftError("adapters are given with a cascade: name each as a stage, such as tiny+attention@100.")
    if config.adaptive:
        raise QPeftError("adaptive depth cannot be used with a cascade: leave one of them out.")
    cascade = read_cascade(config.cascade, config.model, config.rerank)
    alone = replace(config.rerank, milliseconds=cascade.milliseconds)
    models: dict[str, ServedModel] = {}
    stages = []
    for stage in cascade.stages:
        name = _stage_name(stage.model)
        model = models.setdefault(name, ServedModel(name, stage.model, alone))
        if model.model != stage.model:
            raise QPeftError(f"two models of the cascade have the name {name!r}: rename one of their folders.")
        stages.append(ServedModel(name, stage.model, stage.config))
    name = Path(config.cascade).stem if config.cascade.endswith(".json") else config.cascade
    if name in models:
        raise QPeftError(f"the cascade in {config.cascade} has the name of its model {name!r}: rename the file.")
    return {name: ServedCascade(name, tuple(stages), cascade.milliseconds), **models}


def scoring_settings(served: Mapping[str, Served]) -> ScoringSettings:
    """What the scoring process loads.

    Args:
        served: The models and the cascade, by name.
    """
    models = [one for one in served.values() if isinstance(one, ServedModel)]
    return ScoringSettings(
        {one.name: one.model for one in models},
        {one.name: one.config for one in models},
        {one.name: one.rule for one in models if one.adaptive},
    )


def find_served(name: str | None, served: Mapping[str, Served], config: ServiceConfig) -> Served:
    """What a request names: a served model or cascade, or a cascade of served models such as `tiny@50,other@10`.

    Args:
        name: The name; None is the default.
        served: What is served, by name.
        config: The configuration of the service.

    Raises:
        ServiceError: There is no such model.
        QPeftError: The cascade has too many stages, or they cannot follow each other.
    """
    if name is None:
        return next(iter(served.values()))
    if name in served:
        return served[name]
    # A request must not make the server read a file.
    if "@" not in name or name.endswith(".json"):
        raise unknown_name("model", name, list(served))
    if (count := name.count("@")) > MOST_STAGES:
        raise QPeftError(f"the cascade of a request may have {MOST_STAGES} stages at most, and this one has {count}.")
    models = {model.name: model for model in served.values() if isinstance(model, ServedModel)}
    shared = replace(config.rerank, depth=None, margin=None, calibration=None)
    cascade = read_cascade(name, replace(config.model, model=None, adapter=None), shared)
    stages = tuple(_stage(stage, models) for stage in cascade.stages)
    return ServedCascade(name, stages, cascade.milliseconds)


def served_indexes(config: ServiceConfig) -> dict[str, str]:
    """The folders and prebuilt names of the indexes that a configuration serves, by name; the first is the default.

    Raises:
        QPeftError: Two have the same name.
    """
    return {name: str(place) for name, place in _named(None, config.index, "index", "--index").items()}


def check_indexes(indexes: dict[str, str]) -> None:
    """Refuse folders that are no Lucene index, before a process is started. Prebuilt names are looked up later.

    Args:
        indexes: Folders and prebuilt names.

    Raises:
        QPeftError: A folder does not exist, or is no index.
    """
    for place in indexes.values():
        folder = Path(place)
        if (folder.exists() or looks_like_a_path(place) or "/" in place) and not is_lucene_index(folder):
            raise QPeftError(f"{place} is not a Lucene index: qpeft index makes one.")


def _stage(stage: StageConfig, models: Mapping[str, ServedModel]) -> ServedModel:
    """The served model of a stage: the one with its name, or the one with its base model and adapter."""
    name = stage.model.model or ""
    same = (one for one in models.values() if (one.base, one.model.adapter) == (name, stage.model.adapter))
    found = models.get(name if stage.model.adapter is None else _stage_name(stage.model)) or next(same, None)
    if found is None:
        raise unknown_name("model", _stage_name(stage.model), list(models))
    return ServedModel(found.name, found.model, stage.config)


def _stage_name(model: ModelConfig) -> str:
    name = _last_part(model.model or DEFAULT_MODEL)
    return name if model.adapter is None else f"{name}+{_last_part(model.adapter)}"


def _named(
    first: tuple[str, str | None] | None, given: tuple[str, ...], kind: str, option: str
) -> dict[str, str | None]:
    pairs: list[tuple[str, str | None]] = [] if first is None else [first]
    for word in given:
        name, equals, rest = word.partition("=")
        pairs.append((name, rest) if equals else (_last_part(word), word))
    named: dict[str, str | None] = {}
    for name, place in pairs:
        if not name or place == "":
            raise QPeftError(f"{option} takes NAME=PLACE or PLACE: the name or the place is missing in {name}={place}.")
        if name in named:
            raise QPeftError(f"two have the {kind} name {name!r}: name them as {option} NAME=PLACE.")
        named[name] = place
    return named


def _last_part(place: str) -> str:
    return Path(place).name or place
