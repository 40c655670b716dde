"""Adapters: which one a name means, how it is loaded, and which one a model carries."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.errors import QPeftError, did_you_mean
from pyserini_qpeft.models.config import NO_ADAPTER
from pyserini_qpeft.models.files import check_fields, check_safetensors, first_line, read_json_object
from pyserini_qpeft.models.hub import download_folder
from pyserini_qpeft.models.merging import merge_lora
from pyserini_qpeft.models.registry import DEFAULT_MODEL, models
from pyserini_qpeft.models.source import Source, looks_like_a_path

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.config import QPeftConfig

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
# Only these are downloaded: weights in other forms can run code when they are read.
_PATTERNS = ["*.json", "*.safetensors"]


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """Where the adapter on a model came from.

    Attributes:
        name: The adapter as the user named it.
        folder: Its folder.
    """

    name: str
    folder: Path


def loaded_adapter(model: Any) -> LoadedAdapter | None:
    """Where the adapter on a model came from; None for a bare model, or one that this package did not load."""
    found = getattr(model, "qpeft_loaded_adapter", None)
    return found if isinstance(found, LoadedAdapter) else None


def active_adapter(model: Any) -> "QPeftConfig | None":
    """The settings of the Q-PEFT adapter that is active on a model, or None."""
    from pyserini_qpeft.qpeft.config import QPeftConfig

    configs = getattr(model, "peft_config", None) or {}
    active = configs.get(getattr(model, "active_adapter", "default"))
    return active if isinstance(active, QPeftConfig) else None


def adapter_folder(adapter: str | None, source: Source) -> Path | None:
    """The folder of an adapter.

    Args:
        adapter: Hub id, folder, or name of an adapter that comes with the model; "none" is the bare model. None is the
            default adapter of a model that is given by its name, and the bare model for any other.
        source: The base model. A model without a record takes the names of the shipped model's adapters.

    Returns:
        The folder, or None for the bare model.

    Raises:
        QPeftError: There is no such adapter, or its folder lacks a file.
    """
    record = source.record
    if adapter is None and record is not None and source.name == record.name:
        adapter = record.default_adapter
    if adapter is None or adapter == NO_ADAPTER:
        return None
    named = (record or models()[DEFAULT_MODEL]).adapters
    folder = Path(adapter)
    if not folder.is_dir():
        if adapter in named:
            folder = Path(named[adapter])
        elif owners := [other.name for other in models().values() if adapter in other.adapters]:
            own = f"adapters of {record.name!r}: {', '.join(named) or 'none yet'}" if record else ""
            raise QPeftError(f"the adapter {adapter!r} belongs to the model {owners[0]!r} ({own}).")
        elif folder.exists() or looks_like_a_path(adapter):
            raise QPeftError(f"there is no folder {adapter!r} to load a PEFT adapter from.")
        else:
            folder = download_folder(adapter, _CONFIG, _PATTERNS, did_you_mean(adapter, named).lstrip())
    check_adapter_folder(folder)
    return folder


def with_adapter(base: Any, folder: Path, name: str | None = None) -> Any:
    """Puts an adapter on a base model, and first the LoRA in its `lora_folder` if it has one.

    Args:
        base: The base model.
        folder: The adapter's folder.
        name: The adapter as the user named it; None is the folder.

    Returns:
        The `PeftModel`.

    Raises:
        QPeftError: The adapter's files are damaged, do not fit the model, or are outside of its folder.
    """
    from peft import PeftConfig, PeftModel

    from pyserini_qpeft.qpeft import QPeftConfig
    from pyserini_qpeft.qpeft.config import PEFT_TYPE

    try:
        with warnings.catch_warnings():
            # peft reads an attribute of transformers that is deprecated; users cannot change that.
            warnings.simplefilter("ignore", FutureWarning)
            # Missing weights are refused below.
            warnings.filterwarnings("ignore", message="Found missing adapter keys")
            values = read_json_object(folder / _CONFIG)
            if values.get("peft_type") == PEFT_TYPE:
                check_fields(folder / _CONFIG, values, QPeftConfig)
            config = PeftConfig.from_pretrained(str(folder))
            if isinstance(config, QPeftConfig):
                _ = config.prompt_template  # raises if the wording in the config is not valid
                if config.lora_folder:
                    lora = _inside(folder, config.lora_folder)
                    base = PeftModel.from_pretrained(base, str(lora))
                    _check_names(base, lora)
                    merge_lora(base, lora)
            model = PeftModel.from_pretrained(base, str(folder))
    except QPeftError as error:
        raise QPeftError(f"cannot load the adapter {str(folder)!r}: {error}") from error
    except Exception as error:  # wrong values in its files can raise anything, deep inside peft
        raise QPeftError(f"cannot load the adapter {str(folder)!r}: {first_line(error)}") from error
    _check_names(model, folder)
    merge_lora(model, folder)
    model.qpeft_loaded_adapter = LoadedAdapter(name or str(folder), folder)
    return model


def check_adapter_folder(folder: Path) -> None:
    """Refuses a folder that lacks a file of a saved PEFT adapter, or whose weights are damaged.

    Raises:
        QPeftError: Names the file.
    """
    for file in (_CONFIG, _WEIGHTS):
        if not (folder / file).is_file():
            pickled = (folder / "adapter_model.bin").is_file()
            hint = " (adapter_model.bin is not read, because such a file can run code: convert it)" if pickled else ""
            raise QPeftError(f"the folder {str(folder)!r} has no {file}: it is not a saved PEFT adapter{hint}.")
    check_safetensors(folder / _WEIGHTS)


def base_weights_in(folder: Path) -> set[str]:
    """The names, in the base model, of all weights in the files of an adapter. Most of them are the adapter's own."""
    from safetensors import safe_open

    names: set[str] = set()
    for file in folder.rglob(_WEIGHTS):  # that of a LoRA in the folder too
        with safe_open(str(file), framework="pt") as weights:
            names.update(weights.keys())
    return {name.removeprefix("base_model.model.").replace(".base_layer.", ".") for name in names}


def _inside(folder: Path, lora_folder: str) -> Path:
    lora = folder / lora_folder
    if not lora.resolve().is_relative_to(folder.resolve()):
        raise QPeftError(f"lora_folder in {folder / _CONFIG} is {lora_folder!r}, which is outside of the folder.")
    check_adapter_folder(lora)
    return lora


def _check_names(model: Any, folder: Path) -> None:
    """Refuses weights under other names than the adapter has: peft would leave the rest as initialised."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    file = folder / _WEIGHTS
    with safe_open(str(file), framework="pt") as weights:
        found = set(weights.keys())
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    if missing := sorted(expected - found):
        raise QPeftError(f"{file} has no weights for {missing[0]} ({len(missing)} of {len(expected)} are missing).")
    # An adapter may carry embeddings of the base model; those have a place there.
    if unknown := sorted(found - expected - set(model.state_dict())):
        raise QPeftError(f"{file} has weights that the model has no place for, such as {unknown[0]}.")
