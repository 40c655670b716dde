"""Key-values of passages on disk: a safetensors file for each block that was read, under the model's fingerprint."""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pyserini_qpeft.errors import QPeftError

_SAMPLED = 4096


class StoredPassages:
    """A folder of key-values.

    Args:
        folder: Where models' folders are; made when it is not there.
        fingerprint: Of the model, `model_fingerprint`; another model's key-values are never seen.
        device: Where loaded key-values go.

    Raises:
        QPeftError: If the folder cannot be made, or a file in it is no safetensors file.
    """

    def __init__(self, folder: Path, fingerprint: str, device: torch.device) -> None:
        self.folder = folder / fingerprint
        self.device = device
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QPeftError(f"cannot keep passages in {folder}: {error.strerror}.") from error
        self._files = {name: file for file in sorted(self.folder.glob("*.safetensors")) for name in _names(file)}

    def load(self, keys: Collection[bytes]) -> Iterator[tuple[bytes, torch.Tensor]]:
        """Those of the keys that are here, with their key-values."""
        by_file: dict[Path, dict[str, bytes]] = {}
        for key in keys:
            name = _name(key)
            if name in self._files:
                by_file.setdefault(self._files[name], {})[name] = key
        for file, names in by_file.items():
            with safe_open(file, framework="pt", device=str(self.device)) as opened:
                for name, key in names.items():
                    yield key, opened.get_tensor(name)

    def save(self, states: Mapping[bytes, torch.Tensor]) -> None:
        """Adds key-values as a file of their own, which appears when it is whole."""
        named = {_name(key): one.contiguous() for key, one in states.items()}
        file = (
            self.folder / f"{hashlib.blake2b(''.join(sorted(named)).encode(), digest_size=16).hexdigest()}.safetensors"
        )
        unfinished = file.with_suffix(f".{os.getpid()}.part")
        try:
            save_file(named, unfinished)
            os.replace(unfinished, file)
        except (OSError, SafetensorError) as error:
            unfinished.unlink(missing_ok=True)
            raise QPeftError(f"cannot keep passages in {self.folder}: {error}") from error
        self._files |= dict.fromkeys(named, file)


def model_fingerprint(model: nn.Module) -> str:
    """What key-values of a passage depend on but for its tokens: weights, their dtype, a trained instruction.

    Of each weight up to 4,096 numbers at even distances are looked at, so that a large model is not read whole. The
    hint module's weights are left out: hints stand behind the passage.
    """
    told = hashlib.blake2b(digest_size=12)
    config: Any = model.config
    told.update(config.to_json_string(use_diff=True).encode())
    for name, weight in sorted(model.named_parameters()):
        if "qpeft_" in name and not name.endswith(".instruction"):
            continue
        # Some quantised weights are no plain tensors and cannot be flattened.
        plain = weight.detach() if type(weight.data) is torch.Tensor else weight.dequantize()
        flat = plain.flatten()
        sample = flat[:: max(1, len(flat) // _SAMPLED)]
        told.update(f"{name.rpartition('model.')[2]} {tuple(weight.shape)} {weight.dtype}".encode())
        numbers = sample.float() if sample.is_floating_point() else sample.contiguous().view(torch.uint8)
        told.update(numbers.cpu().numpy().tobytes())
    return told.hexdigest()


def _name(key: bytes) -> str:
    return hashlib.blake2b(key, digest_size=16).hexdigest()


def _names(file: Path) -> list[str]:
    try:
        with safe_open(file, framework="pt") as opened:
            return list(opened.keys())
    except SafetensorError as error:
        raise QPeftError(f"{file} is no file of key-values (delete it): {error}") from error
