"""Mistakes in Python that would give wrong results without a word, or a traceback, are one sentence."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyserini_qpeft import (
    FusionConfig,
    QPeftError,
    QPeftReranker,
    RerankConfig,
    RerankingSearcher,
    ScoringConfig,
    WindowConfig,
)
from pyserini_qpeft.cascade.reranker import CascadeReranker
from pyserini_qpeft.data.ranked_hits import RankedHits
from pyserini_qpeft.reranking.config_file import read_rerank_config, write_rerank_config
from pyserini_qpeft.reranking.deadline import Deadline
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.requests import Reranked, text_source

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
        (lambda: RerankConfig(depth=True), r"depth must be a whole number, not True"),
        (lambda: RerankConfig(margin="1"), r"margin must be a number, not '1'"),  # type: ignore[arg-type]
        (lambda: RerankConfig(milliseconds="1"), r"milliseconds must be a number, not '1'"),  # type: ignore[arg-type]
        (lambda: FusionConfig(weight="0.5"), r"fusion weight must be a number, not '0.5'"),  # type: ignore[arg-type]
        (lambda: FusionConfig(rrf_k=float("nan")), r"rrf_k must not be negative, but is nan"),  # type: ignore[arg-type]
        (lambda: FusionConfig(rrf_k=None), r"rrf_k must be a number, not None"),  # type: ignore[arg-type]
        (lambda: WindowConfig(temperature=None), r"the temperature of windows must be a number, not None"),  # type: ignore[arg-type]
        (lambda: Deadline.after(None), r"milliseconds must be a number, not None"),  # type: ignore[arg-type]
        (lambda: ScoringConfig(passage_tokens="64"), r"passage_tokens must be a whole number, not '64'"),  # type: ignore[arg-type]
        (lambda: ScoringConfig(batch_tokens=2.5), r"batch_tokens must be a whole number, not 2.5"),  # type: ignore[arg-type]
        (lambda: ScoringConfig(passage_cache_bytes="4GB"), r"passage_cache_bytes must be a whole number, not '4GB'"),  # type: ignore[arg-type]
        (lambda: WindowConfig(size="64"), r"the size of a window must be a whole number, not '64'"),  # type: ignore[arg-type]
        (lambda: WindowConfig(temperature="1"), r"the temperature of windows must be a number, not '1'"),  # type: ignore[arg-type]
        (lambda: CallOptions(k=WRONG), r"k must be a whole number, not 'indexes/scifact'"),
        (lambda: CallOptions(k=2.0), r"k must be a whole number, not 2.0"),  # type: ignore[arg-type]
        (lambda: CallOptions(k=True), r"k must be a whole number, not True"),
        (lambda: CallOptions(k=-1), r"k must not be negative, and is -1"),
        (lambda: CallOptions(deadline=500), r"deadline must be a Deadline, such as .*, not 500"),  # type: ignore[arg-type]
        (lambda: CallOptions(texts={"d": "a"}), r"texts must be a function from docid to text"),  # type: ignore[arg-type]
        (lambda: Deadline.after(WRONG), r"milliseconds must be a number, not 'indexes"),
        (lambda: RerankingSearcher(SEARCHER, RERANKER, depth=WRONG), r"depth must be a whole number, not 'indexes"),
        (lambda: RerankingSearcher(SEARCHER, RERANKER).search("a", k="3"), r"k must be a whole number, not '3'"),  # type: ignore[arg-type]
        (lambda: RerankingSearcher(SEARCHER, RERANKER).search("a", k=None), r"k must be a whole number, not None"),  # type: ignore[arg-type]
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


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    two: Any = np.int64(2)
    half: Any = np.float32(0.5)
    config = RerankConfig(depth=two, margin=half, fusion=FusionConfig(weight=half), windows=WindowConfig(best=two))
    assert config.rescored([3.0, 2.75, 2.5]) == 2
    write_rerank_config(tmp_path / "config.json", config)
    assert read_rerank_config(tmp_path / "config.json") == config
    assert Reranked(RankedHits([1, 2, 3])).first(CallOptions(k=two).k).hits == [1, 2]  # type: ignore[list-item]
    assert ScoringConfig(passage_tokens=two).passage_tokens == 2
