"""Scores the hits of the test collections once with each model, and keeps likelihoods, tokens and seconds.

    OMP_NUM_THREADS=1 python -m benchmarks.cascades.score --shared ../shared --work WORK

The chains are computed from these files, without a model: see `benchmarks.cascades.chains`. Queries are scored in
blocks, so that a passage is read once for all queries of its block. The first query of each collection is also scored
alone and timed; the seconds are processor time, so other programs on the machine do not count. A second call continues
with the blocks that are left.
"""

import argparse
import json
from itertools import batched
from pathlib import Path
from typing import Any

from benchmarks.cascades.collections import BLOCK, Sample, sample
from benchmarks.clock import seconds_now, use_processor_time
from benchmarks.quiet import quiet
from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits

COLLECTIONS = ("wikiqa", "squad-v1.1-dev", "trec-dl-2020-hits", "nq-open-oracle", "cacm")
SMALL, LARGE = "tiny", "smollm2-135m-q4"
ADAPTERS = {SMALL: "retrieval", LARGE: "none"}
LARGE_DEPTH, LARGE_SECOND_DEPTH = 50, 20
"""The large model scores this many of BM25's first hits, and this many of the small model's."""

Pairs = dict[str, list[str]]
"""The docids that are scored, by qid."""


def score_block(one: Sample, qids: tuple[str, ...], rerankers: dict[str, QPeftReranker], file: Path) -> None:
    """Score the hits of some queries with both models, and add a line for each query to a file.

    Args:
        one: The queries and their hits.
        qids: Some of the queries.
        rerankers: The models by name.
        file: JSON lines with `qid`, `hits` (docid and score of the first stage) and, for each model, `likelihoods` and
            `tokens` by docid.
    """
    pairs = {qid: [hit.docid for hit in one.hits[qid]] for qid in qids}
    scored = {SMALL: _score(rerankers[SMALL], one, pairs)}
    fusion = FusionConfig().for_model(SMALL)
    for qid, docids in pairs.items():
        likelihoods = list(scored[SMALL][qid]["likelihoods"].values())
        order = rank_hits(likelihoods, [hit.score for hit in one.hits[qid]], fusion).order
        first = {*docids[:LARGE_DEPTH], *(docids[place] for place in order[:LARGE_SECOND_DEPTH])}
        pairs[qid] = [docid for docid in docids if docid in first]
    scored[LARGE] = _score(rerankers[LARGE], one, pairs)
    with file.open("a") as out:
        for qid in qids:
            hits = [(hit.docid, hit.score) for hit in one.hits[qid]]
            out.write(json.dumps({"qid": qid, "hits": hits, **{name: of[qid] for name, of in scored.items()}}) + "\n")


def time_query(one: Sample, qid: str, reranker: QPeftReranker, depth: int) -> dict[str, float]:
    """Tokens and seconds of one query that is scored alone."""
    docids = [hit.docid for hit in one.hits[qid][:depth]]
    start = seconds_now()
    found = _score(reranker, one, {qid: docids})[qid]
    return {"seconds": seconds_now() - start, "tokens": sum(found["tokens"].values()), "passages": len(docids)}


def _score(reranker: QPeftReranker, one: Sample, pairs: Pairs) -> dict[str, dict[str, Any]]:
    asked = [(one.topics[qid], docid) for qid, docids in pairs.items() for docid in docids]
    sequences = reranker.scorer.sequences([(query, one.texts[docid]) for query, docid in asked])
    likelihoods = iter(reranker.scorer.score(sequences).tolist())
    lengths = iter(map(len, sequences))
    return {
        qid: {
            "likelihoods": {docid: next(likelihoods) for docid in docids},
            "tokens": {docid: next(lengths) for docid in docids},
        }
        for qid, docids in pairs.items()
    }


def main() -> None:
    """Scores all collections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ (default: ../shared)")
    parser.add_argument("--work", type=Path, required=True, help="folder for indexes and scores")
    parser.add_argument("--queries", type=int, default=60, help="queries of each collection (default: 60)")
    parser.add_argument("--split", default="test", help="split of the qrels (default: test)")
    parser.add_argument("--collections", nargs="+", default=COLLECTIONS, help="folders of shared/data")
    args = parser.parse_args()
    use_processor_time()
    quiet()
    config = RerankConfig(fusion=None)
    rerankers = {
        name: QPeftReranker.from_pretrained(name, adapter, config=config, device="cpu")
        for name, adapter in ADAPTERS.items()
    }
    samples = [sample(args.shared / "data" / name, args.work, args.queries, args.split) for name in args.collections]
    blocks = [list(batched(one.hits, BLOCK)) for one in samples]
    # A block of each collection after the other: what is there after an interruption is balanced.
    for place in range(max(map(len, blocks))):
        for one, of in zip(samples, blocks, strict=True):
            file = args.work / one.name / f"{args.split}.jsonl"
            if place < len(of) and of[place][0] not in _finished(file):
                if place == 0:
                    timed = {SMALL: time_query(one, of[0][0], rerankers[SMALL], 50)}
                    timed[LARGE] = time_query(one, of[0][0], rerankers[LARGE], 12)
                    file.with_name("seconds.json").write_text(json.dumps(timed))
                score_block(one, of[place], rerankers, file)


def _finished(file: Path) -> set[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return {json.loads(line)["qid"] for line in file.read_text().splitlines()} if file.exists() else set()


if __name__ == "__main__":
    main()
