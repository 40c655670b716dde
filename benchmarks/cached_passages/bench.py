"""The model and the lists of hits that are measured, and one measurement."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.clock import seconds_now
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.key_values import KeyValues
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

Pair = tuple[str, str]
"""Texts of a query and of a passage."""


class Bench:
    """The model and the lists of hits.

    Args:
        args: The command line.
        folder: An empty folder for the cache.
    """

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args = args
        self.folder = folder
        self.model, self.tokenizer = load_model(ModelConfig(args.model, NO_ADAPTER, dtype=args.dtype))
        topics, run = read_topics(BeirFolder(args.collection).topics), read_run(args.run)
        full = [qid for qid in run if len(run[qid]) >= args.hits and qid in topics]
        most = max(args.queries, args.quality_queries)
        step = max(1, len(full) // most)
        self.lists = {qid: [hit.docid for hit in run[qid][: args.hits]] for qid in full[::step][:most]}
        wanted = {docid for docids in self.lists.values() for docid in docids}
        self.topics, self.corpus = topics, Corpus.open(args.collection, wanted)

    def scorer(self, **config: Any) -> LikelihoodScorer:
        """A scorer with these settings, and nothing in memory."""
        settings = ScoringConfig(passage_tokens=self.args.passage_tokens, **config)
        return LikelihoodScorer(self.model, self.tokenizer, settings)

    def stored(self, dtype: str = "model", **config: Any) -> LikelihoodScorer:
        """A scorer with the cache folder."""
        return self.scorer(passage_cache_folder=self.folder, passage_cache_dtype=dtype, **config)

    def pairs(self, qid: str, hits: int) -> list[Pair]:
        """A query with its first hits."""
        return [(self.topics[qid], self.corpus[docid]) for docid in self.lists[qid][:hits]]

    def read_in_advance(self, pairs: Sequence[Pair]) -> None:
        """Stores the passages of pairs: read once, kept in the model's dtype and as integers."""
        exact, coarse = self.stored(), self.stored("int8")
        assert exact.cache is not None
        assert exact.cache.stored is not None
        assert coarse.cache is not None
        assert coarse.cache.stored is not None
        shared = exact.passages(list(dict.fromkeys(text for _, text in pairs)))
        exact.cache.fill(shared)
        for key, found in exact.cache.stored.load([ids.tobytes() for ids in shared]):
            integers: KeyValues = coarse.cache.reader.layout.keep(found.states)
            coarse.cache.stored.save({key: integers})


def score(scorer: LikelihoodScorer, pairs: Sequence[Pair]) -> Any:
    """Likelihoods of pairs, tokenizing included."""
    return scorer.score(scorer.sequences(pairs))


def remaining(scorer: LikelihoodScorer, pairs: Sequence[Pair]) -> Any:
    """Scores what stands behind the passages, without the passages: the arithmetic that no cache can save."""
    first: dict[bytes, Any] = {}
    alone = []
    for one in scorer.sequences(pairs):
        head = one.shared_ids[:1]
        alone.append(replace(one, shared_ids=first.setdefault(head.tobytes(), head)))
    rows = [[one] for one in alone]
    return scorer.row_scorer.score(rows)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds of a call, and its result."""
    start = seconds_now()
    result = call()
    return seconds_now() - start, result
