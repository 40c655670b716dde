"""Mistakes in Python that would give wrong results without a word, or a traceback, are one sentence."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig, RerankingSearcher
from pyserini_qpeft.cascade.reranker import CascadeReranker
from pyserini_qpeft.reranking.requests import text_source

SEARCHER: Any = SimpleNamespace(search=list, batch_search=lambda queries, qids, k=10, threads=1: {})
RERANKER: Any = SimpleNamespace(rerank=list, rerank_batch=list)
WRONG: Any = "indexes/scifact"


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: text_source(None, "scifact"), r"corpus takes texts and not a path: .*Corpus.open\('scifact'\)"),
        (lambda: text_source(None, Path("scifact")), r"corpus takes texts and not a path"),
        (lambda: RerankConfig(fusion="zscore"), r"fusion must be a FusionConfig, not 'zscore'"),  # type: ignore[arg-type]
        (lambda: RerankConfig(windows=True), r"windows must be a WindowConfig, not True"),  # type: ignore[arg-type]
        (lambda: RerankConfig(depth="10"), r"depth must be a whole number, not '10'"),  # type: ignore[arg-type]
        (lambda: RerankConfig(margin="1"), r"margin must be a number, not '1'"),  # type: ignore[arg-type]
        (lambda: RerankConfig(milliseconds="1"), r"milliseconds must be a number, not '1'"),  # type: ignore[arg-type]
        (lambda: QPeftReranker.from_pretrained("none such", config=WRONG), r"config must be a RerankConfig, not 'ind"),
        (lambda: CascadeReranker.from_pretrained("tiny@5", config=WRONG), r"config must be a RerankConfig, not 'ind"),
        (lambda: RerankingSearcher(WRONG, RERANKER), r"the searcher has no search: 'indexes/scifact'.*open_searcher"),
        (lambda: RerankingSearcher(SEARCHER, WRONG), r"the reranker has no rerank: 'indexes/scifact'"),
        (
            lambda: RerankingSearcher(SEARCHER, RERANKER).batch_search(["a", "b"], ["q1"]),
            r"2 queries and 1 qid: give a qid for each",
        ),
    ],
)
def test_a_mistake_is_one_sentence(mistake: Callable[[], object], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        mistake()


def test_numbers_of_numpy_are_numbers() -> None:
    depth: Any = np.int64(2)
    margin: Any = np.float32(0.5)
    assert RerankConfig(depth=depth, margin=margin).rescored([3.0, 2.75, 2.5]) == 2
