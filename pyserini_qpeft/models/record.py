"""What is known of a model that has a name, and the file that holds it."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import DTYPES, NO_ADAPTER


@dataclass(frozen=True)
class ModelRecord:
    """A model that has a name. Its weights come from exactly one of `folder`, `hub`, `gguf` and `package`.

    Attributes:
        name: The name.
        folder: Folder with safetensors and tokenizer.
        hub: Hub id.
        gguf: Path of a GGUF file, or `hub-id:file.gguf`.
        package: Python package (its name on the package index) that holds a GGUF file.
        file: Path of that file inside the package.
        about: One line about the model.
        licence: Licence of the weights.
        megabytes: Size of the weights as they are downloaded or installed.
        passage_tokens: Tokens of a passage that are read; None: `registry.DEFAULT_PASSAGE_TOKENS`.
        dtype: The dtype to load the model in; None: the best of the device.
        fusion_weight: Share of the likelihood in the fused score, 0 to 1.
        chosen: How the fusion weight was chosen.
        calibration: File with the calibration of the bare model; that of an adapter is in the adapter's folder.
        stopping: File with the stopping rule of the bare model; that of an adapter is in the adapter's folder.
        adapters: Adapters that come with the model, name to folder.
        default_adapter: Name of the adapter that is loaded if none is named; None: the bare model.
    """

    name: str
    folder: str | None = None
    hub: str | None = None
    gguf: str | None = None
    package: str | None = None
    file: str | None = None
    about: str = ""
    licence: str = "unknown"
    megabytes: float | None = None
    passage_tokens: int | None = None
    dtype: str | None = None
    fusion_weight: float = 0.5
    chosen: str = "default"
    calibration: str | None = None
    stopping: str | None = None
    adapters: dict[str, str] = field(default_factory=dict)
    default_adapter: str | None = None


_SOURCES = ("folder", "hub", "gguf", "package")
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "megabytes": ((int, float), "a number"),
    "passage_tokens": ((int,), "a whole number"),
    "fusion_weight": ((int, float), "a number from 0 to 1"),
    "adapters": ((dict,), "a mapping from names to folders"),
}


def read_records(path: Path) -> dict[str, ModelRecord]:
    """Reads models by name from a YAML file.

    Args:
        path: The file: a mapping from names to records. Relative folders and files start at the file's own folder.

    Raises:
        QPeftError: The file is not valid YAML, or a record in it is not valid.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise QPeftError(f"cannot read the models in {path}: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise QPeftError(f"{path} must hold a mapping from names to models (name: {{source: …}}).")
    return {str(name): _record(path, str(name), fields_) for name, fields_ in content.items()}


def _record(path: Path, name: str, given: Any) -> ModelRecord:
    where = f"{path}: model {name!r}"
    if not name or "/" in name or ":" in name or name.startswith("."):
        raise QPeftError(f"{where}: a name has no slash and no colon and does not begin with a dot.")
    if not isinstance(given, dict) or not isinstance(given.get("source"), dict):
        raise QPeftError(f"{where} needs a source, such as source: {{hub: owner/model}}.")
    source = given["source"]
    if len([kind for kind in _SOURCES if kind in source]) != 1 or ("package" in source) != ("file" in source):
        raise QPeftError(f"{where}: source must have one of folder, hub and gguf, or package and file.")
    settings = {key: value for key, value in given.items() if key != "source"}
    values = {**settings, **source}
    names = {field.name for field in fields(ModelRecord)} - {"name"}
    if unknown := sorted(str(key) for key in (settings.keys() | source.keys()) if key not in names):
        raise QPeftError(f"{where} has an unknown field {unknown[0]!r}; fields are source, {', '.join(sorted(names))}.")
    for key, value in values.items():
        kinds, words = _KINDS.get(key, ((str,), "text"))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise QPeftError(f"{where}: {key} must be {words}, not {value!r}.")
    if values.get("dtype") not in (None, *DTYPES):
        raise QPeftError(f"{where}: dtype must be one of {', '.join(DTYPES)}, not {values['dtype']!r}.")
    if not 0 <= values.get("fusion_weight", 0.5) <= 1:
        raise QPeftError(f"{where}: fusion_weight must be a number from 0 to 1, not {values['fusion_weight']!r}.")
    values["adapters"] = {str(key): _path(path, str(value)) for key, value in values.get("adapters", {}).items()}
    default = values.get("default_adapter", next(iter(values["adapters"]), NO_ADAPTER))
    if default not in (*values["adapters"], NO_ADAPTER):
        known = ", ".join((*values["adapters"], NO_ADAPTER))
        raise QPeftError(f"{where}: default_adapter must be one of {known}, not {default!r}.")
    values["default_adapter"] = None if default == NO_ADAPTER else default
    for key in ("folder", "gguf", "calibration", "stopping"):
        if key in values and not (key == "gguf" and ":" in values[key]):
            values[key] = _path(path, values[key])
    return ModelRecord(name=name, **values)


def _path(beside: Path, path: str) -> str:
    return str((beside.parent / Path(path).expanduser()).absolute())
