"""GGUF files as base models.

transformers reads a GGUF file by dequantizing it, which takes much longer than loading safetensors. So a GGUF file is
converted once into the user's cache, and loaded from there. The weights are kept in float32, exactly as transformers
dequantizes them: 4 bytes per weight.
"""

import contextlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.cache import build_once, cache_folder, file_hash

CONVERTER = 1
"""Version of the conversion below; a change of what it writes needs a new number."""

_IN_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[^:]+\.gguf)", re.IGNORECASE)
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
_MAGIC = b"GGUF"


def hub_gguf(model: str) -> tuple[str, str] | None:
    """Hub id and file of a model written as `hub-id:file.gguf`, or None for any other model."""
    found = _IN_HUB.fullmatch(model)
    return None if found is None or Path(model).exists() else (found["repo"], found["file"])


def local_gguf(model: str) -> Path | None:
    """The GGUF file that a path means: the file itself, or the only one of a folder without safetensors.

    Returns:
        The file, or None if the path means no GGUF file.

    Raises:
        QPeftError: The file is absent or is no GGUF file, or the folder has several.
    """
    path = Path(model)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".gguf")
        if not files or (path / "config.json").is_file():
            return None
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            raise QPeftError(f"the folder {model!r} has several GGUF files ({names}): name one of them.")
        return files[0]
    if path.is_file():
        return path
    if path.suffix.lower() == ".gguf":
        raise QPeftError(f"there is no file {model!r} (a GGUF file on the hub is written owner/model:file.gguf).")
    return None


def converted(file: Path) -> Path:
    """The folder of the cache with the safetensors and the tokenizer of a GGUF file; converts the file if needed.

    Raises:
        QPeftError: The file is no GGUF file, is incomplete, holds an architecture that transformers does not read from
            GGUF, or has no tokenizer; or the cache cannot be written.
    """
    from transformers import __version__ as transformers_version

    try:
        with file.open("rb") as content:
            begins = content.read(len(_MAGIC))
    except OSError as error:
        raise QPeftError(f"cannot read {str(file)!r}: {error.strerror or error}.") from error
    if begins != _MAGIC:
        raise QPeftError(f"{str(file)!r} is not a GGUF file; a model in another form is named by its folder.")
    if _PART.search(file.name):
        raise QPeftError(f"{str(file)!r} is one part of a model: merge the parts first (llama-gguf-split --merge).")
    digest = file_hash(file)
    key = f"{digest[:32]}-{CONVERTER}-transformers-{transformers_version}"

    def build(folder: Path) -> None:
        _convert(file, folder)
        source = {"file": file.name, "sha256": digest, "converter": CONVERTER, "transformers": transformers_version}
        (folder / "source.json").write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")

    return build_once(cache_folder() / "gguf" / key, build)


def _convert(file: Path, folder: Path) -> None:
    from safetensors import SafetensorError

    # transformers also reads other files beside a GGUF file. The result must depend on the GGUF file alone.
    alone = folder / "alone"
    alone.mkdir()
    link = alone / "model.gguf"
    link.symlink_to(file.resolve())
    tokenizer, model = _dequantized(file, alone, link.name)
    # transformers refuses to save a model that was dequantized until these are removed.
    del model.config.quantization_config
    model.hf_quantizer = None
    try:
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    except SafetensorError as error:  # a full disk, for example
        raise OSError(str(error)) from error
    link.unlink()
    alone.rmdir()


def _dequantized(file: Path, folder: Path, name: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        with _progress_as_in_transformers():
            model, found = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=name, dtype=torch.float32, output_loading_info=True
            )
    except ImportError as error:
        raise QPeftError(f"loading {str(file)!r} needs the package gguf: pip install gguf.") from error
    except Exception as error:  # a damaged file can raise anything, deep inside transformers
        raise QPeftError(_what_is_wrong(file, error)) from error
    if missing := sorted(found["missing_keys"]):
        raise QPeftError(f"{str(file)!r} is not a causal language model: it has no weights for {missing[0]}.")
    return tokenizer, model


def _progress_as_in_transformers() -> contextlib.AbstractContextManager[Any]:
    """Turns off the bar of the conversion if transformers' own bars are off, which it does not do by itself."""
    from tqdm.auto import tqdm
    from transformers.utils import logging

    bar = partial(tqdm, disable=not logging.is_progress_bar_enabled())
    return mock.patch("transformers.modeling_gguf_pytorch_utils.tqdm", bar, create=True)


def _what_is_wrong(file: Path, error: Exception) -> str:
    """One sentence on why transformers could not read a GGUF file."""
    from gguf import GGUFReader
    from transformers import __version__ as transformers_version
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    try:
        fields = GGUFReader(file).fields
        architecture = str(fields["general.architecture"].contents())
    except Exception:  # as above
        return f"the GGUF file {str(file)!r} is incomplete or damaged: download or copy it again."
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES and "is not supported" in str(error):
        known = ", ".join(sorted(GGUF_SUPPORTED_ARCHITECTURES))
        return (
            f"{str(file)!r} holds a model of the architecture {architecture!r}, which transformers "
            f"{transformers_version} does not read from GGUF: use the model's safetensors instead (architectures that "
            f"can be read from GGUF: {known})."
        )
    if "tokenizer.ggml.tokens" not in fields:
        return f"the GGUF file {str(file)!r} has no tokenizer, so it cannot read text: use one that has."
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"transformers {transformers_version} cannot read the GGUF file {str(file)!r}: {reason}"
