"""llama.cpp through llama-cpp-python, on the GGUF file itself: query likelihood, a pair after the other."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.rivals.classifier import needed
from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from benchmarks.skipped import Skipped
from pyserini_qpeft.models.registry import find_model
from pyserini_qpeft.models.source import packaged_file
from pyserini_qpeft.scoring.sequences import PairSequence

_LONGEST = 1024  # tokens


def load(place: ModelFolders) -> Loaded:
    """Loads the GGUF file of the model, and our tokenizer and prompt, so that both read the same tokens."""
    record = find_model(place.size.model) if place.size.model else None
    file = packaged_file(record) if record and record.package else None
    if file is None or place.device != "cpu":
        raise Skipped("llama.cpp is measured on a CPU, with models that come as GGUF files")
    library = needed("llama_cpp", "llama-cpp-python")
    ours = reranker(place, share_passages=False)
    scoring = LlamaCpp(library, str(file), len(ours.scorer.encoder.tokenizer))

    def score(pairs: Pairs) -> Scores:
        return np.array([scoring.score(one) for one in ours.scorer.sequences(pairs)], dtype=np.float32)

    return Loaded(ours.scorer.model, score, loaded(ours).readings)


class LlamaCpp:
    """A GGUF model in llama.cpp, with as many threads as torch has.

    Its buffers for processors with AMX are not used: with them, version 0.3.36 built by GCC 12 ends in a segmentation
    fault (`ldtilecfg`).

    Args:
        library: The module `llama_cpp`.
        file: The GGUF file.
        vocabulary: Number of token ids.
    """

    def __init__(self, library: Any, file: str, vocabulary: int) -> None:
        self._library = library
        self._vocabulary = vocabulary
        self._quiet = library.llama_log_callback(lambda *_: None)
        library.llama_log_set(self._quiet, ctypes.c_void_p(0))
        library.llama_backend_init()
        model_settings = library.llama_model_default_params()
        model_settings.use_extra_bufts = False
        self._model = library.llama_model_load_from_file(file.encode(), model_settings)
        settings = library.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = _LONGEST
        settings.n_threads = settings.n_threads_batch = torch.get_num_threads()
        self._context = library.llama_init_from_model(self._model, settings)
        self._batch = library.llama_batch_init(_LONGEST, 0, 1)

    def score(self, sequence: PairSequence) -> float:
        """Returns the mean log-likelihood of the query, with logits at the query's positions only."""
        ids = [*sequence.shared_ids.tolist(), *sequence.following.tolist()]
        first = len(ids) - len(sequence.scored) - 1
        self._fill(ids, first)
        self._library.llama_memory_clear(self._library.llama_get_memory(self._context), False)
        if self._library.llama_decode(self._context, self._batch):
            raise RuntimeError("llama_decode has failed")
        return float(np.mean([self._logprob(place, ids[place + 1]) for place in range(first, len(ids) - 1)]))

    def _fill(self, ids: Sequence[int], first: int) -> None:
        batch = self._batch
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place] = token
            batch.pos[place] = place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = first <= place < len(ids) - 1

    def _logprob(self, place: int, token: int) -> float:
        pointer = self._library.llama_get_logits_ith(self._context, place)
        logits = np.ctypeslib.as_array(pointer, shape=(self._vocabulary,))
        highest = logits.max()
        return float(logits[token] - highest - np.log(np.exp(logits - highest).sum()))


RIVAL = Rival("llama.cpp", against="ours, unshared", load=load, dtype="float32")
