"""Which encoder makes the vectors of a Faiss index, and how: the settings that passages and queries must share."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.errors import QPeftError

Library = Literal["pyserini", "sentence-transformers"]
Pooling = Literal["cls", "mean"]

# The encoders of sentence-transformers that Pyserini's class "auto" can compute. Newer versions write the last column.
_POOLING: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "mean": "mean",
}
_MODULES = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """An encoder and its settings. `None` stands for the encoder's own setting.

    Raises:
        QPeftError: A number is not positive, or a setting does not belong to the library.
    """

    encoder: str = field(metadata={"help": "folder or hub id of the encoder"})
    encoder_library: Library = field(
        default="pyserini",
        metadata={"help": "library that encodes; sentence-transformers (an extra) reads every encoder of its own"},
    )
    encoder_class: str = field(
        default="auto", metadata={"help": "Pyserini's class of document encoders: auto, dpr, tct_colbert, ance ..."}
    )
    pooling: Pooling | None = field(
        default=None,
        metadata={"help": "vector of a text: its first token's (cls) or the mean (default: the encoder's, or cls)"},
    )
    l2_norm: bool | None = field(
        default=None, metadata={"help": "scale vectors to length 1, for cosines (default: the encoder's, or off)"}
    )
    max_length: int | None = field(
        default=None, metadata={"help": "tokens that are read of a passage (default: the encoder's, or 256)"}
    )
    prefix: str | None = field(default=None, metadata={"help": "text before each passage, such as 'passage:'"})
    query_prefix: str | None = field(default=None, metadata={"help": "text before each query, such as 'query:'"})

    def __post_init__(self) -> None:
        if self.max_length is not None and self.max_length < 1:
            raise QPeftError(f"the maximum length of a passage must be positive, not {self.max_length} tokens.")
        if self.encoder_library != "pyserini" and (self.encoder_class != "auto" or self.pooling is not None):
            raise QPeftError("sentence-transformers takes class and pooling from the encoder: leave the options out.")

    def as_record(self) -> dict[str, Any]:
        """The settings as they are kept with an index. A folder is kept as an absolute path."""
        name = str(Path(self.encoder).absolute()) if Path(self.encoder).is_dir() else self.encoder
        return {**asdict(self), "encoder": name}


def from_record(record: Mapping[str, Any]) -> EncoderConfig | None:
    """The encoder in the record of an index (`lucene.record`); None if the index was built elsewhere.

    Raises:
        QPeftError: The record is damaged.
    """
    settings = record.get("encoder")
    if settings is None:
        return None
    try:
        return EncoderConfig(**settings)
    except TypeError as error:
        raise QPeftError("the encoder's settings that are kept with the index are damaged: build it again.") from error


def completed(config: EncoderConfig) -> EncoderConfig:
    """Fills in settings that are not given: the encoder's own if it is one of sentence-transformers, else Pyserini's.

    Raises:
        QPeftError: Pyserini cannot compute what the encoder needs.
    """
    if config.encoder_library != "pyserini":
        return config
    own = {} if config.encoder_class != "auto" else own_settings(config.encoder)
    settings = {"pooling": "cls", "l2_norm": False, "max_length": 256, **own}
    return replace(config, **{name: value for name, value in settings.items() if getattr(config, name) is None})


def own_settings(encoder: str) -> dict[str, Any]:
    """What an encoder of sentence-transformers says of itself: pooling, l2_norm, max_length. Empty for others.

    Raises:
        QPeftError: Pyserini cannot compute what the encoder needs.
    """
    modules = _read(encoder, "modules.json")
    if not isinstance(modules, list):
        return {}
    # An entry is {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}.
    paths = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in modules}
    pooling = _read(encoder, f"{paths.get('Pooling', '1_Pooling')}/config.json") or {}
    mode = pooling.get("pooling_mode")
    modes = (
        [mode] if isinstance(mode, str) else [name for name, on in pooling.items() if on is True and "_mode_" in name]
    )
    if not set(paths) <= set(_MODULES) or len(modes) != 1 or modes[0] not in _POOLING:
        parts = ", ".join([*paths, *modes])
        raise QPeftError(
            f"Pyserini cannot compute vectors of {encoder!r} ({parts}): add --encoder-library sentence-transformers."
        )
    settings: dict[str, Any] = {"pooling": _POOLING[modes[0]], "l2_norm": "Normalize" in paths}
    length = (_read(encoder, "sentence_bert_config.json") or {}).get("max_seq_length")
    return settings | ({"max_length": length} if isinstance(length, int) else {})


def _read(encoder: str, name: str) -> Any:
    """A JSON file of a folder, or of a model in the hub's cache or on the hub; None if there is none."""
    from transformers.utils import cached_file

    quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    try:
        file = cached_file(encoder, name, **quiet)
    except (OSError, ValueError):  # no such model; the error is shown when the model is loaded
        return None
    if file is None:
        return None
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise QPeftError(f"cannot read {name} of the encoder {encoder!r}: {error}".partition("\n")[0]) from error
