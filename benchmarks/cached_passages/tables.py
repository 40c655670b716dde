"""The three tables: one query, rewrites of one query, and how passages are kept."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.cached_passages.bench import Bench, remaining, score, timed
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_REMAINING = "the remaining tokens alone"
_REWRITES = ("{}", "{}?", "what is known about {}", "research on {}")


@dataclass(frozen=True, slots=True)
class Row:
    """A way of scoring.

    Attributes:
        table: The table that it belongs to.
        way: What is measured.
        seconds: Seconds of one query (of all rewrites), the median.
        of_unread: The seconds as a share of those of the first way.
        difference: Mean absolute difference of a likelihood from that of the first way.
        ndcg: nDCG@10 of the likelihoods; None where it is not measured.
    """

    table: str
    way: str
    seconds: float
    of_unread: float
    difference: float
    ndcg: float | None = None


def query_rows(bench: Bench) -> list[Row]:
    """The time of one query, by where its passages come from."""
    args = bench.args
    unread, memory = bench.scorer(), bench.scorer(passage_cache_bytes=8 << 30)
    lists = [bench.pairs(qid, args.hits) for qid in list(bench.lists)[: args.queries]]
    score(unread, lists[0][:2])
    bench.read_in_advance([pair for pairs in lists for pair in pairs])
    memory.cache.stored = bench.stored().cache.stored  # type: ignore[union-attr]
    ways: dict[str, Callable[[], LikelihoodScorer]] = {
        "passages read with the query": lambda: unread,
        "passages in the folder": bench.stored,
        "passages in the folder, int8": lambda: bench.stored("int8"),
        "passages in memory": lambda: memory,
        _REMAINING: lambda: unread,
    }
    for pairs in lists:
        score(memory, pairs)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    scores: dict[str, list[Any]] = {way: [] for way in ways}
    for number in range(args.rounds):
        for way, made in ways.items():
            if number and way == next(iter(ways)):
                continue  # by far the longest; once is enough
            for pairs in lists:
                scorer = made()  # with nothing in memory, and not timed: a process makes one scorer for all queries
                call = remaining if way == _REMAINING else score
                took, found = timed(lambda call=call, scorer=scorer, pairs=pairs: call(scorer, pairs))  # type: ignore[misc]
                seconds[way].append(took)
                scores[way].append(found)
            log(f"{way}: {median(seconds[way]):.2f} s")
    return rows_of("query", seconds, scores)


def rewrite_rows(bench: Bench) -> list[Row]:
    """The time of several rewrites of one query."""
    args = bench.args
    unread = bench.scorer()
    qid = next(iter(bench.lists))
    query = bench.topics[qid].rstrip("?").lower()
    texts = [text for _, text in bench.pairs(qid, args.rewrite_hits)]
    asked = [[(form.format(query), text) for text in texts] for form in _REWRITES]
    together = [pair for pairs in asked for pair in pairs]
    bench.read_in_advance(together)
    stored = bench.stored()
    for scorer in (unread, stored):
        log(f"pairs share rows: {scorer.planner.packs}")  # the first answer takes seconds, once for a process
    ways: dict[str, Callable[[], Any]] = {
        "one by one": lambda: np.concatenate([score(unread, pairs) for pairs in asked]),
        "together (rerank_batch)": lambda: score(unread, together),
        "together, passages in the folder": lambda: score(stored, together),
    }
    seconds: dict[str, list[float]] = {}
    scores: dict[str, list[Any]] = {}
    for way, call in ways.items():
        took, found = timed(call)
        seconds[way], scores[way] = [took], [found]
        log(f"{way}: {took:.2f} s")
    return rows_of("rewrites", seconds, scores)


def quality_rows(bench: Bench) -> list[Row]:
    """Likelihoods and nDCG@10 by how passages are kept."""
    args = bench.args
    qids = list(bench.lists)[: args.quality_queries]
    lists = {qid: bench.pairs(qid, args.quality_hits) for qid in qids}
    bench.read_in_advance([pair for pairs in lists.values() for pair in pairs])
    qrels = read_qrels(args.collection / "qrels" / "test.tsv")
    rows: list[Row] = []
    first: Any = None
    for way, dtype in (("as the model's dtype", "model"), ("as int8", "int8")):
        scorer = bench.stored(dtype)
        took, found = timed(lambda scorer=scorer: {qid: score(scorer, pairs) for qid, pairs in lists.items()})  # type: ignore[misc]
        run = {
            qid: [
                ScoredDoc(docid, float(value))
                for value, docid in sorted(zip(found[qid], bench.lists[qid], strict=False), reverse=True)
            ]
            for qid in qids
        }
        judged = {qid: qrels[qid] for qid in qids if qid in qrels}
        ndcg = float(score_queries(run, judged, ["nDCG@10"])["nDCG@10"].mean())
        likelihoods = np.concatenate([found[qid] for qid in qids])
        first = likelihoods if first is None else first
        share = took / (rows[0].seconds * len(qids)) if rows else 1.0
        rows.append(Row("kept", way, took / len(qids), share, float(np.abs(likelihoods - first).mean()), ndcg))
        log(f"{way}: nDCG@10 {ndcg:.4f}")
    return rows


def rows_of(table: str, seconds: dict[str, list[float]], scores: dict[str, list[Any]]) -> list[Row]:
    """The rows of a table, compared with its first way."""
    first = next(iter(seconds))
    rows = []
    for way, took in seconds.items():
        compared = zip(scores[way], scores[first], strict=False)
        means = [np.abs(one - other).mean() for one, other in compared]
        difference = float("nan") if way == _REMAINING else float(np.mean(means))
        rows.append(Row(table, way, median(took), median(took) / median(seconds[first]), difference))
    return rows


def log(message: str) -> None:
    """Prints a message about progress."""
    print(message, file=sys.stderr, flush=True)


TABLES = {"query": query_rows, "rewrites": rewrite_rows, "kept": quality_rows}
