"""Encoders of passages and queries: Pyserini's own classes, or those of sentence-transformers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyserini_qpeft.data.fields import without_surrogates
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.encoder_config import EncoderConfig
from pyserini_qpeft.lucene.loading import load_pyserini

Vectors = NDArray[np.float32]


class PassageEncoder(Protocol):
    """Encodes passages."""

    def __call__(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        """One vector per passage, shape (passages, dimensions)."""


class QueryEncoder(Protocol):
    """Encodes queries, under the name that Pyserini's searchers call."""

    def encode(self, query: str) -> Vectors:
        """The vector of a query, shape (dimensions,)."""


def open_passage_encoder(config: EncoderConfig, device: str = "cpu") -> PassageEncoder:
    """Loads an encoder for passages.

    Args:
        config: With all settings filled in (`encoder_config.completed`).
        device: "cpu", "cuda" or "cuda:N".

    Raises:
        QPeftError: The encoder cannot be loaded, or the library or the class does not exist.
    """
    with _loading(config.encoder):
        if config.encoder_library == "sentence-transformers":
            return _SentencePassages(config, device)
        return _PyseriniPassages(config, device)


def open_query_encoder(config: EncoderConfig, device: str = "cpu") -> QueryEncoder:
    """Loads an encoder for queries. Arguments and errors are those of `open_passage_encoder`."""
    with _loading(config.encoder):
        if config.encoder_library == "sentence-transformers":
            return _SentenceQueries(config, device)
        return _pyserini_queries(config, device)


@contextmanager
def _loading(encoder: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise cannot_load(encoder, error) from error


def cannot_load(encoder: str, error: Exception) -> QPeftError:
    """The sentence for an encoder that cannot be loaded."""
    if Path(encoder).is_dir():
        reason = " ".join(str(error).split())[:200].rstrip(".")
        return QPeftError(f"the folder {encoder!r} holds no encoder that can be loaded: {reason}.")
    return QPeftError(
        f"the encoder {encoder!r} is neither a folder nor in the hub's cache, and could not be downloaded: give the "
        "folder of an encoder with --encoder."
    )


class _PyseriniPassages:
    def __init__(self, config: EncoderConfig, device: str) -> None:
        encode = load_pyserini("pyserini.encode")
        device = load_pyserini("pyserini.util").resolve_device(device)
        self._auto = config.encoder_class == "auto"
        self._max_length = config.max_length
        if self._auto:
            self._encoder = encode.AutoDocumentEncoder(
                config.encoder, device=device, pooling=config.pooling, l2_norm=config.l2_norm, prefix=config.prefix
            )
        else:
            if encode.document_encoder_class_map.get(config.encoder_class) is None:
                known = ", ".join(sorted(encode.document_encoder_class_map))
                raise QPeftError(
                    f"Pyserini has no document encoder class {config.encoder_class!r}: use one of {known}."
                )
            program = load_pyserini("pyserini.encode.__main__")
            settings = (device, config.pooling, config.l2_norm, config.prefix, False, False)
            self._encoder = program.init_encoder(config.encoder, config.encoder_class, *settings)
        _in_float32(self._encoder)

    def __call__(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        import torch

        if self._auto:  # titles and texts are joined as Pyserini does, but no text begins with a blank
            given: dict[str, Any] = {"texts": _joined(titles, texts)}
        else:
            given = {"titles": list(titles), "texts": list(texts)}
        with torch.inference_mode():
            return np.asarray(self._encoder.encode(**given, max_length=self._max_length), dtype=np.float32)


def _pyserini_queries(config: EncoderConfig, device: str) -> QueryEncoder:
    encode = load_pyserini("pyserini.encode")
    device = load_pyserini("pyserini.util").resolve_device(device)
    if config.encoder_class == "auto":
        encoder = encode.AutoQueryEncoder(
            config.encoder, device=device, pooling=config.pooling, l2_norm=config.l2_norm, prefix=config.query_prefix
        )
    else:
        program = load_pyserini("pyserini.search.faiss.__main__")
        settings = (None, "", None, device, config.max_length, config.pooling, config.l2_norm, config.query_prefix)
        encoder = program.init_query_encoder(config.encoder, query_class(config.encoder_class), *settings)
    _in_float32(encoder)
    found: QueryEncoder = encoder
    return found


def query_class(document_class: str) -> str:
    """Pyserini's class of query encoders that belongs to a class of document encoders."""
    return "sentence" if document_class == "sentence-transformers" else document_class


def _in_float32(encoder: Any) -> None:
    """NumPy has no bfloat16, which the weights of some encoders are stored in."""
    model = getattr(encoder, "model", None)
    if model is not None:
        model.float()


class _SentencePassages:
    def __init__(self, config: EncoderConfig, device: str) -> None:
        self._config = config
        self._model = _sentence_transformer(config, device)

    def __call__(self, titles: Sequence[str], texts: Sequence[str]) -> Vectors:
        return _sentence_vectors(self._model.encode_document, _joined(titles, texts), self._config)


class _SentenceQueries:
    def __init__(self, config: EncoderConfig, device: str) -> None:
        self._config = replace(config, prefix=config.query_prefix)
        self._model = _sentence_transformer(config, device)

    def encode(self, query: str) -> Vectors:
        vectors = _sentence_vectors(self._model.encode_query, [query], self._config)
        first: Vectors = vectors[0]
        return first


def _sentence_transformer(config: EncoderConfig, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise QPeftError("this needs sentence-transformers: pip install 'pyserini-qpeft[dense]'.") from error
    model = SentenceTransformer(config.encoder, device=device).float()
    if config.max_length is not None:
        model.max_seq_length = config.max_length
    return model


def _sentence_vectors(encode: Any, texts: list[str], config: EncoderConfig) -> Vectors:
    prompt = None if config.prefix is None else f"{config.prefix} "
    vectors = encode(
        texts,
        prompt=prompt,  # None: the encoder's own prompt, if it has one
        batch_size=len(texts),
        normalize_embeddings=bool(config.l2_norm),
        show_progress_bar=False,
    )
    return np.asarray(vectors, dtype=np.float32)


def _joined(titles: Sequence[str], texts: Sequence[str]) -> list[str]:
    return [without_surrogates(f"{title} {text}").strip() for title, text in zip(titles, texts, strict=True)]
