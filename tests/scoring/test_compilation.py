"""Compiled, a model scores as it did, and is compiled once for all that may come."""

import shutil

import numpy as np
import pytest
import torch
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="compiling needs a C++ compiler")
def test_scores_stay_and_nothing_is_compiled_anew_for_other_sizes() -> None:
    compiled, plain = (
        LikelihoodScorer(adapted("llama", TOKENIZER, variant="retrieval"), TOKENIZER, ScoringConfig(compile=way))
        for way in (True, False)
    )
    compiled.score(compiled.sequences(POOL))
    with torch.compiler.set_stance("fail_on_recompile"):
        # Pairs of many passages, one alone, those of one passage, long and short.
        for pairs in (POOL, POOL[:1], POOL[:: len(PAIRS)], [("nile", "river " * n) for n in range(1, 30)]):
            scores = compiled.score(compiled.sequences(pairs))
            np.testing.assert_allclose(scores, plain.score(plain.sequences(pairs)), atol=1e-5)
    with compiled.model.disable_adapter(), plain.model.disable_adapter():
        scores = compiled.score(compiled.sequences(POOL))
        np.testing.assert_allclose(scores, plain.score(plain.sequences(POOL)), atol=1e-5)


def test_without_a_compiler_a_cpu_compiles_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(QPeftError, match=r"needs the C\+\+ compiler"):
        LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(compile=True))
