"""Key-values of passages on disk, for later runs: one safetensors file for each passage, in a folder for each model."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.key_values import KeyValueLayout, KeyValues
from pyserini_qpeft.scoring.passage_files import unfinished, write_whole
from pyserini_qpeft.scoring.passage_folder import DoesNotFitFolderError, PassageFolder
from pyserini_qpeft.scoring.sizes import size_text

logger = logging.getLogger(__name__)

_HEADER_BYTES = 512
_TOKEN_BYTES = 8
_SHORTAGES = ("out of memory", "cannot allocate memory", "too many open files")


class StoredPassages:
    """The passages of one model in a `PassageFolder`.

    Several threads and processes may use one folder; what one stores is seen by the others at once. A file that is
    broken or does not hold what its name says is treated as absent, and replaced; the first one is named in a warning.

    Args:
        folder: The folder with the passages of all models.
        model: `model_fingerprint` of the model. Key-values of other models are not used.
        layout: What the model's key-values have in common.
        device: The device that key-values are loaded to.
        name: The model's name, for `qpeft cache --list`.

    Raises:
        QPeftError: The model's folder cannot be made.
    """

    def __init__(
        self, folder: PassageFolder, model: str, layout: KeyValueLayout, device: torch.device, name: str = ""
    ) -> None:
        self.folder = folder
        self.layout = layout
        self.device = device
        self._model = model if layout.kept_as == "model" else f"{model}-{layout.kept_as}"
        self._place = folder.folder / self._model
        self._broken: set[bytes] = set()
        self._warned = False
        dtype = str(layout.dtype).removeprefix("torch.")
        self._about = {"model": name, "dtype": dtype, "kept_as": dtype if layout.kept_as == "model" else layout.kept_as}
        try:
            self._place.mkdir(exist_ok=True)
        except OSError as error:
            raise QPeftError(f"cannot store passages in {folder.folder}: {error.strerror or error}.") from error

    def load(self, keys: Collection[bytes]) -> Iterator[tuple[bytes, KeyValues]]:
        """Loads key-values. On a CPU they are maps of the files, so nothing is read before it is used.

        Args:
            keys: Passages, as the bytes of their token ids (int64).

        Yields:
            Those passages that are stored, each with its key-values.
        """
        for key in keys:
            if (found := self._read(key, self.device)) is not None:
                yield key, found

    def stored(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those passages that are stored; they count as used now. None of them is moved to the device."""
        return {key for key in keys if self._read(key, torch.device("cpu")) is not None}

    def save(self, passages: Mapping[bytes, KeyValues]) -> None:
        """Stores key-values; passages that are stored already are left as they are.

        A passage that is larger than the limit of the folder is left out; the first one is named in a warning.

        Raises:
            DoesNotFitFolderError: The disk has no room for a passage.
            QPeftError: A file cannot be written.
        """
        try:
            with self.folder.writing():
                self._place.mkdir(exist_ok=True)
                if not (self._place / "model.json").exists():
                    write_whole(self._place / "model.json", self._about)
                for key, kept in passages.items():
                    file = self._file(key)
                    if not file.exists() or (key in self._broken and not file.is_dir()):
                        needed = self.file_bytes(kept.length)
                        if (limit := self.folder.limit) is not None and needed > limit:
                            self._is_too_large(kept.length, needed, limit)
                            continue
                        self.folder.reserve(needed)
                        self._write(file, kept)
                        self._broken.discard(key)
        except DoesNotFitFolderError:
            raise
        except (OSError, SafetensorError) as error:
            raise QPeftError(f"cannot store passages in {self.folder.folder}: {error}") from error

    def file_bytes(self, tokens: int) -> int:
        """Bytes that the file of a passage of `tokens` tokens takes at most."""
        return tokens * self.layout.bytes_per_token + _HEADER_BYTES

    def _read(self, key: bytes, device: torch.device) -> KeyValues | None:
        file = self._file(key)
        try:
            with safe_open(file, framework="pt", device=str(device)) as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
                belongs = opened.metadata() == self._metadata(file)
            found = self.layout.recognise(tensors, len(key) // _TOKEN_BYTES) if belongs else None
            reason = "it holds something else"
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, RuntimeError) as error:
            found, reason = None, str(error)
            if any(shortage in reason.lower() for shortage in _SHORTAGES):
                return None  # the file may be whole
        if found is None:
            self._is_broken(key, reason)
            return None
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(file)
        return found

    def _write(self, file: Path, kept: KeyValues) -> None:
        draft = unfinished(file)
        try:
            tensors = {name: tensor.contiguous() for name, tensor in kept.tensors().items()}
            save_file(tensors, draft, metadata=self._metadata(file))
            os.replace(draft, file)
        finally:
            draft.unlink(missing_ok=True)

    def _file(self, key: bytes) -> Path:
        return self._place / f"{hashlib.blake2b(key, digest_size=16).hexdigest()}.safetensors"

    def _metadata(self, file: Path) -> dict[str, str]:
        return {"model": self._model, "passage": file.stem}

    def _is_too_large(self, tokens: int, needed: int, limit: int) -> None:
        if not self._warned:
            logger.warning(
                "a passage of %d tokens takes %s, more than the limit of %s (%s), and is not stored; further ones are "
                "not named",
                tokens,
                size_text(needed),
                self.folder.folder,
                size_text(limit),
            )
        self._warned = True

    def _is_broken(self, key: bytes, reason: str) -> None:
        if not self._broken:
            logger.warning(
                "%s holds no key-values of its passage (%s): the model reads the passage again; further files of this "
                "kind are not named",
                self._file(key),
                reason.strip().splitlines()[0] if reason.strip() else "unreadable",
            )
        self._broken.add(key)
