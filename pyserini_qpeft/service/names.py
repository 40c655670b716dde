"""The names under which models and indexes are served."""

from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.kinds import is_lucene_index
from pyserini_qpeft.models.registry import DEFAULT_MODEL, fusion_weight
from pyserini_qpeft.models.source import looks_like_a_path
from pyserini_qpeft.service.config import ServiceConfig


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that requests name.

    Attributes:
        name: The name in requests.
        base: Name, hub id or folder of the base model.
        adapter: Name, hub id or folder of the adapter; None is the default adapter of the base model.
        fusion_weight: Share of the likelihood in the fused score, 0 to 1, that was chosen for the base model.
    """

    name: str
    base: str
    adapter: str | None
    fusion_weight: float


def served_models(config: ServiceConfig) -> dict[str, ServedModel]:
    """The models that a configuration serves, by name; the first is the default.

    Raises:
        QPeftError: Two have the same name.
    """
    base = config.model.model or DEFAULT_MODEL
    weight = fusion_weight(config.model.model)
    named = _named((_last_part(base), config.model.adapter), config.adapters, "model", "--adapters")
    return {name: ServedModel(name, base, adapter, weight) for name, adapter in named.items()}


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
