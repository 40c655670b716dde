"""rank_llm's pointwise reranker `MonoELECTRA`, which accepts any sequence classifier with two outputs.

`MonoT5` accepts T5 models only, `JinaReranker` and `GaggleReranker` need code that comes with their models, and
`PointwiseVLLM` needs a GPU.
"""

import contextlib
import io
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from benchmarks.rivals.classifier import PairReadings, needed
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from benchmarks.skipped import Skipped


def load(place: ModelFolders) -> Loaded:
    """Loads a classifier with the body of the model."""
    if place.dtype == "bfloat16":
        raise Skipped("rank_llm's MonoELECTRA turns the model's logits into numpy, which has no bfloat16")
    pointwise = needed("rank_llm.rerank.pointwise.monoelectra", "rank-llm")
    data = needed("rank_llm.data", "rank-llm")
    with contextlib.redirect_stdout(io.StringIO()):
        reranker = pointwise.MonoELECTRA(str(place.classifier(labels=2)), device=place.device)

    def score(pairs: Pairs) -> Scores:
        # It always prints a progress bar.
        with contextlib.redirect_stderr(io.StringIO()):
            results = reranker.rerank_batch(list(_requests(pairs, data)))
        scores = np.zeros(len(pairs), dtype=np.float32)
        for result in results:
            for candidate in result.candidates:
                scores[int(candidate.docid)] = candidate.score
        return scores

    return Loaded(reranker._llm, score, PairReadings(reranker._tokenizer))


def _requests(pairs: Pairs, data: Any) -> Iterator[Any]:
    for query, group in groupby(enumerate(pairs), key=lambda numbered: numbered[1][0]):
        candidates = [data.Candidate(docid=str(place), score=0.0, doc={"text": text}) for place, (_, text) in group]
        yield data.Request(query=data.Query(text=query, qid=query), candidates=candidates)


RIVAL = Rival("rank_llm", against="ours", load=load)
