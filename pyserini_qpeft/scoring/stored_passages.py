"""Key-values of passages on disk: one safetensors file per batch that was read, in a folder per model."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.locks import locked
from pyserini_qpeft.models.adapters import active_adapter
from pyserini_qpeft.models.weights import plain_weight

_SAMPLED = 4096


class StoredPassages:
    """A folder of key-values.

    Several threads and processes may write into one folder: a file gets its name only when it is complete, and is
    never changed afterwards, only replaced by one with the same passages. Passages that another process adds are seen
    by the next `StoredPassages`; until then they may be read twice. A killed process may leave an unfinished file: the
    next `StoredPassages` removes it, unless another process is writing at that moment.

    Args:
        folder: The folder that holds a folder for each model. It is made if it does not exist.
        fingerprint: `model_fingerprint` of the model. Key-values of other models are not used.
        device: The device that key-values are loaded to.

    Raises:
        QPeftError: If the folder cannot be made, or a file in it is not a safetensors file.
    """

    def __init__(self, folder: Path, fingerprint: str, device: torch.device) -> None:
        self.folder = folder / fingerprint
        self.device = device
        self._lock = folder / f"{fingerprint}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QPeftError(f"cannot store passages in {folder}: {error.strerror}.") from error
        self._remove_unfinished()
        self._files = {name: file for file in sorted(self.folder.glob("*.safetensors")) for name in _names(file)}

    def load(self, keys: Collection[bytes]) -> Iterator[tuple[bytes, torch.Tensor]]:
        """Loads key-values.

        Args:
            keys: Passages, as the bytes of their token ids.

        Yields:
            Those passages that are stored, each with its key-values `[layers, 2, heads, length, width]`.
        """
        by_file: dict[Path, dict[str, bytes]] = {}
        for key in keys:
            name = _name(key)
            if name in self._files:
                by_file.setdefault(self._files[name], {})[name] = key
        for file, names in by_file.items():
            try:
                with safe_open(file, framework="pt", device=str(self.device)) as opened:
                    loaded = [(key, opened.get_tensor(name)) for name, key in names.items()]
            except FileNotFoundError:
                continue  # someone has emptied the folder: the model reads these passages again
            yield from loaded

    def save(self, states: Mapping[bytes, torch.Tensor]) -> None:
        """Adds key-values as one file.

        Raises:
            QPeftError: If the file cannot be written.
        """
        named = {_name(key): one.contiguous() for key, one in states.items()}
        digest = hashlib.blake2b("".join(sorted(named)).encode(), digest_size=16).hexdigest()
        file = self.folder / f"{digest}.safetensors"
        # A name of its own for each writer: two threads may store the same passages at once.
        unfinished = file.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            with locked(self._lock, wait=True):
                save_file(named, unfinished)
                os.replace(unfinished, file)
        except (OSError, SafetensorError) as error:
            raise QPeftError(f"cannot store passages in {self.folder}: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
        self._files |= dict.fromkeys(named, file)

    def _remove_unfinished(self) -> None:
        # While this lock is held nobody writes, so each unfinished file is one that a killed process left.
        with contextlib.suppress(OSError), locked(self._lock):
            for file in self.folder.glob("*.part"):
                file.unlink(missing_ok=True)


def model_fingerprint(model: nn.Module) -> str:
    """A hash of everything but its tokens that a passage's key-values depend on: weights, dtype, trained instruction.

    Of each weight up to 4,096 numbers at even distances are read, so that a large model takes little time. The weights
    that make hints are left out, since hints stand after the passage.
    """
    digest = hashlib.blake2b(digest_size=12)
    config: Any = model.config
    digest.update(config.to_json_string(use_diff=True).encode())
    adapter = active_adapter(model)
    soft = adapter is not None and adapter.instruction_mode == "soft"
    for name, weight in sorted(model.named_parameters()):
        if "qpeft_" in name and not (name.endswith(".instruction") and soft):
            continue
        flat = plain_weight(weight).flatten()
        sample = flat[:: max(1, len(flat) // _SAMPLED)]
        digest.update(f"{name.rpartition('model.')[2]} {tuple(weight.shape)} {weight.dtype}".encode())
        numbers = sample.float() if sample.is_floating_point() else sample.contiguous().view(torch.uint8)
        digest.update(numbers.cpu().numpy().tobytes())
    return digest.hexdigest()


def _name(key: bytes) -> str:
    return hashlib.blake2b(key, digest_size=16).hexdigest()


def _names(file: Path) -> list[str]:
    try:
        with safe_open(file, framework="pt") as opened:
            return list(opened.keys())
    except SafetensorError as error:
        raise QPeftError(f"{file} is not a file of key-values (delete it): {error}") from error
