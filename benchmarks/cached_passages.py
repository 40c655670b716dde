"""`python -m benchmarks.cached_passages`: queries over passages that were read before, and what 8-bit integers lose.

Three tables: the time of one query whose passages are read with it, are in a cache folder, or are in memory, beside the
time of the remaining tokens alone; several rewrites of one query, one by one and together; and the likelihoods and
nDCG@10 of passages that are kept as 8-bit integers, beside those of the model's own dtype.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.clock import seconds_now, use_processor_time
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.key_values import KeyValues
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.scoring.sizes import size_text

Pair = tuple[str, str]

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
            integers: KeyValues = coarse.cache.layout.keep(found.states)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints the rows as a table; `--output` writes them as JSON too."""
    args = _parser().parse_args(arguments)
    if args.clock == "processor":
        use_processor_time()
    with TemporaryDirectory(dir=args.work) as folder:
        bench = Bench(args, Path(folder))
        rows = []
        for table in args.tables:
            rows += _TABLES[table](bench)
        folder_bytes = bench.stored().cache.stored.folder.bytes  # type: ignore[union-attr]
    print(f"{args.model}, {bench.model.dtype}, {torch.get_num_threads()} threads, {size_text(folder_bytes)} stored\n")
    print("| table | way | seconds | of the first way | mean difference of a likelihood | nDCG@10 |")
    print("|---|---|--:|--:|--:|--:|")
    for row in rows:
        ndcg = "" if row.ndcg is None else f"{row.ndcg:.4f}"
        difference = "" if np.isnan(row.difference) else f"{row.difference:.4f}"
        print(f"| {row.table} | {row.way} | {row.seconds:.2f} | {row.of_unread:.3f} | {difference} | {ndcg} |")
    if args.output is not None:
        args.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


_TABLES = {"query": query_rows, "rewrites": rewrite_rows, "kept": quality_rows}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cached_passages", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="smollm2-135m-q4", help="model that scores")
    add("--dtype", help="its dtype (default: chosen for the device)")
    add("--collection", required=True, type=Path, help="BEIR folder with corpus, queries and qrels/test.tsv")
    add("--run", required=True, type=Path, help="first-stage run of its test queries")
    add("--tables", nargs="+", choices=list(_TABLES), default=list(_TABLES), help="tables to measure")
    add("--passage-tokens", type=int, default=256, help="tokens of a passage that are read")
    add("--queries", type=int, default=2, help="queries of the first table")
    add("--hits", type=int, default=100, help="hits of each of them")
    add("--rounds", type=int, default=2, help="rounds of the first table")
    add("--rewrite-hits", type=int, default=25, help="hits of the query that is rewritten")
    add("--quality-queries", type=int, default=10, help="queries of the table on int8")
    add("--quality-hits", type=int, default=20, help="hits of each of them")
    add("--clock", choices=["wall", "processor"], default="wall", help="as for python -m benchmarks")
    add("--work", type=Path, help="folder for the cache, which takes gigabytes (default: the system's)")
    add("--output", type=Path, metavar="FILE", help="JSON file with the rows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
