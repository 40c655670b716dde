"""`python -m benchmarks.cached_passages`: queries over passages that were read before, and what 8-bit integers lose.

Three tables: the time of one query whose passages are read with it, are in a cache folder, or are in memory, beside the
time of the remaining tokens alone; several rewrites of one query, one by one and together; and the likelihoods and
nDCG@10 of passages that are kept as 8-bit integers, beside those of the model's own dtype.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.cached_passages.bench import Bench
from benchmarks.cached_passages.tables import TABLES
from benchmarks.clock import use_processor_time
from pyserini_qpeft.scoring.sizes import size_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints the rows as a table; `--output` writes them as JSON too."""
    args = _parser().parse_args(arguments)
    if args.clock == "processor":
        use_processor_time()
    with TemporaryDirectory(dir=args.work) as folder:
        bench = Bench(args, Path(folder))
        rows = []
        for table in args.tables:
            rows += TABLES[table](bench)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cached_passages", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="smollm2-135m-q4", help="model that scores")
    add("--dtype", help="its dtype (default: chosen for the device)")
    add("--collection", required=True, type=Path, help="BEIR folder with corpus, queries and qrels/test.tsv")
    add("--run", required=True, type=Path, help="first-stage run of its test queries")
    add("--tables", nargs="+", choices=list(TABLES), default=list(TABLES), help="tables to measure")
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
