"""Faiss indexes: the encoder of queries that fits one, and why a search of one failed."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.data.fingerprint import file_fingerprint
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.encoder_config import EncoderConfig, completed, from_record
from pyserini_qpeft.lucene.kinds import DOCIDS, VECTORS
from pyserini_qpeft.lucene.loading import load_pyserini
from pyserini_qpeft.lucene.record import read_record

_TWO_ENCODERS = ("dpr",)
"""Classes whose passages and queries have encoders of their own."""


def query_encoder_of(folder: Path, *, encoder: str | None = None, **given: Any) -> EncoderConfig | None:
    """The encoder of queries for a Faiss index: what the index was built with, changed by what is given.

    Args:
        folder: The Faiss index.
        encoder: Folder or hub id; None if it is not given.
        **given: Other fields of `EncoderConfig`; None for those that are not given.

    Returns:
        The encoder with its settings, or None if Pyserini's rule for names of encoders should choose them.

    Raises:
        QPeftError: No encoder is known, or its weights are not those that the index was built with.
    """
    record = read_record(folder)
    recorded = from_record(record)
    given = {name: value for name, value in given.items() if value is not None}
    if recorded is None:
        if encoder is None:
            raise QPeftError(
                f"the Faiss index {folder} does not say how queries are encoded: give the encoder with --encoder, or "
                "vectors with --encoded-queries."
            )
        if _named_for_a_class(encoder):
            return None
        return completed(EncoderConfig(encoder=encoder, **given))
    if recorded.encoder_class in _TWO_ENCODERS:
        if encoder is None:
            raise QPeftError(f"the encoder of {folder} is for passages: give the one for queries with --encoder.")
    else:
        _compare(folder, recorded.encoder, encoder, record.get("weights"))
    return EncoderConfig(**{**recorded.as_record(), "encoder": encoder or recorded.encoder, **given})


def weights_fingerprint(encoder: str) -> str | None:
    """A hash of the weights of an encoder; None if it has no files of weights.

    Args:
        encoder: Folder, or hub id of an encoder that can be loaded. The hub is asked if it is not in the hub's cache.
    """
    folder = Path(encoder) if Path(encoder).is_dir() else _hub_folder(encoder)
    if folder is None:
        return None
    # Some encoders have both. Which of them the hub's cache has depends on the programs that have loaded the encoder,
    # and safetensors come first.
    files = sorted(folder.glob("**/*.safetensors")) or sorted(folder.glob("**/*.bin"))
    return "-".join(map(file_fingerprint, files)) or None


def _hub_folder(encoder: str) -> Path | None:
    """The folder of a hub id in the hub's cache, with its weights."""
    from transformers.utils import cached_file
    from transformers.utils.hub import get_checkpoint_shard_files

    quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    try:
        for name in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"):
            if (file := cached_file(encoder, name, **quiet)) is not None:
                if name.endswith(".index.json"):
                    get_checkpoint_shard_files(encoder, file)
                return Path(file).parent
    except (OSError, ValueError):  # no such encoder; the error is shown when it is loaded
        pass
    return None


def why_it_failed(folder: Path, encoder: str | None) -> str:
    """One sentence on a Faiss index that Pyserini refuses without a message."""
    import faiss

    vectors = faiss.read_index(str(folder / VECTORS))
    docids = sum(1 for _ in (folder / DOCIDS).open(encoding="utf-8"))
    if docids != vectors.ntotal:
        return f"the Faiss index {folder} has {vectors.ntotal} vectors and {docids} docids: build it again."
    source = "the queries" if encoder is None else f"the encoder {encoder!r}"
    return (
        f"the vectors of {source} do not have the {vectors.d} dimensions of the Faiss index {folder}: was it built "
        "with another encoder?"
    )


def _named_for_a_class(encoder: str) -> bool:
    """Whether Pyserini infers a class from the name. It looks at a whole path, in which a word may stand by chance."""
    classes = load_pyserini("pyserini.encode").query_encoder_class_map
    name = Path(encoder).resolve().name if Path(encoder).is_dir() else encoder
    return any(word in name.lower() for word in classes)


def _compare(folder: Path, recorded: str, encoder: str | None, weights: Any) -> None:
    if encoder is None and Path(recorded).is_absolute() and not Path(recorded).is_dir():
        raise QPeftError(f"the encoder {recorded} of the index {folder} is gone: give its new place with --encoder.")
    current = weights_fingerprint(encoder or recorded)
    if weights is None or current is None or weights == current:
        return
    if encoder is None:
        raise QPeftError(f"the encoder {recorded} has changed since the index {folder} was built: build it again.")
    raise QPeftError(
        f"the Faiss index {folder} was built with other weights than those of the encoder {encoder}, so its vectors do "
        "not fit: leave --encoder out, give the encoder of the index, or build the index again."
    )
