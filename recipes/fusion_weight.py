"""Chooses the fusion weight of a model on development queries of SQuAD, NQ and NFCorpus, for `resources/models.yaml`.

    python -m recipes.fusion_weight --data ../shared/data --work WORK --model smollm2-135m-q4 --adapter none

The queries are spread evenly over each development split. BM25's first hits are reranked by the likelihood alone, and
`qpeft tune` picks the weight with the highest nDCG@10 over the queries of all three collections.
"""

import argparse
import sys
from pathlib import Path

from pyserini_qpeft.cli.__main__ import main as qpeft
from pyserini_qpeft.data.beir import BeirFolder, write_qrels, write_topics
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.topics import read_topics

COLLECTIONS = ("squad-v1.1-dev", "nq-open-oracle", "nfcorpus")


def rerank_development_queries(collection: Path, work: Path, queries: int, depth: int, model: list[str]) -> Path:
    """Searches and reranks the development queries of a collection.

    Args:
        collection: BEIR folder with a split `dev`.
        work: Folder for the index, the queries and the runs; finished files are used again.
        queries: How many queries.
        depth: How many of BM25's hits are reranked.
        model: Options of `qpeft rerank` that choose the model.

    Returns:
        The reranked lists (JSONL); the qrels are in `qrels.tsv` beside them.
    """
    work.mkdir(parents=True, exist_ok=True)
    beir = BeirFolder(collection)
    judged = list(read_qrels(beir.qrels("dev")).items())
    chosen = dict(judged[place * len(judged) // queries] for place in range(min(queries, len(judged))))
    known = read_topics(beir.topics)
    topics, hits, reranked = work / "topics.jsonl", work / "bm25.jsonl", work / "reranked.jsonl"
    write_topics(topics, {qid: known[qid] for qid in chosen})
    write_qrels(work / "qrels.tsv", chosen)
    index = str(work / "index")
    jsonl = ["--output-format", "jsonl", "--output"]
    first_stage = ["--index", index, "--topics", str(topics), "--hits", str(depth), "--first-stage-only"]
    if not reranked.exists():
        run_qpeft(["index", "--corpus", str(collection), "--index", index, "--overwrite"])
        run_qpeft(["search", *first_stage, *jsonl, str(hits)])
        run_qpeft(["rerank", "--run", str(hits), "--fusion", "none", *model, *jsonl, str(reranked)])
    return reranked


def run_qpeft(arguments: list[str]) -> None:
    """Runs a command of `qpeft`, and ends the program if it fails."""
    if code := qpeft(arguments):
        sys.exit(code)


def main() -> None:
    """Reranks the development queries of all collections and prints the best weight."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--work", type=Path, required=True, help="folder for indexes and runs, one for each model")
    parser.add_argument("--queries", type=int, default=110, help="queries of each collection (default: 110)")
    parser.add_argument("--depth", type=int, default=20, help="hits that are reranked (default: 20)")
    args, model = parser.parse_known_args()
    lists = [
        rerank_development_queries(args.data / name, args.work / name, args.queries, args.depth, model)
        for name in COLLECTIONS
    ]
    run, qrels = args.work / "reranked.jsonl", args.work / "qrels.tsv"
    run.write_text("".join(one.read_text(encoding="utf-8") for one in lists), encoding="utf-8")
    write_qrels(qrels, {q: g for one in lists for q, g in read_qrels(one.with_name("qrels.tsv")).items()})
    tuned = str(args.work / "tuned.json")
    run_qpeft(["tune", "--run", str(run), "--qrels", str(qrels), "--depths", str(args.depth), "--output", tuned])


if __name__ == "__main__":
    main()
