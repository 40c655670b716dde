"""The test collections: a sample of their queries, with the hits of BM25 and their texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, Run, ScoredDoc, Topics
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.lucene import build_index, open_searcher

DEPTH = 100
"""How many hits of BM25 each query has."""

BLOCK = 10
"""Queries of a block. They follow each other in the qrels, and often find the same passages."""

STORED_RUNS = {"trec-dl-2020-hits": "runs/BM25.trec", "trec-dl-2021-hits": "runs/BM25.trec"}
"""Collections that come with BM25's run. Their corpus holds hits only, and must not be searched."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some queries of a collection.

    Attributes:
        name: Name of the collection.
        topics: The queries.
        qrels: Their qrels.
        hits: The hits of BM25.
        texts: The text of each of the hits, by docid.
    """

    name: str
    topics: Topics
    qrels: Qrels
    hits: Run
    texts: Mapping[str, str]


def sample(folder: Path, work: Path, queries: int, split: str = "test") -> Sample:
    """Find BM25's hits for some queries of a collection.

    Args:
        folder: BEIR folder.
        work: Folder for the index; an index that is there is used again.
        queries: How many queries, in blocks that are spread evenly over the split.
        split: Split of the qrels.
    """
    beir = BeirFolder(folder)
    judged = list(read_qrels(beir.qrels(split)).items())
    blocks = min(queries, len(judged)) // BLOCK
    starts = [place * (len(judged) - BLOCK) // max(1, blocks - 1) for place in range(blocks)]
    qrels = dict(judged[start + place] for start in starts for place in range(BLOCK))
    known = read_topics(beir.topics)
    topics = {qid: known[qid] for qid in qrels}
    if folder.name in STORED_RUNS:
        run = read_run(folder / STORED_RUNS[folder.name])
        hits = {qid: run[qid][:DEPTH] for qid in topics}
    else:
        hits = _search(folder, work / folder.name / "index", topics)
    return Sample(
        folder.name, topics, qrels, hits, Corpus.open(folder, {hit.docid for one in hits.values() for hit in one})
    )


def _search(folder: Path, index: Path, topics: Topics) -> Run:
    if not index.exists():
        index.parent.mkdir(parents=True, exist_ok=True)
        build_index(folder, index)
    found = open_searcher(str(index)).batch_search(list(topics.values()), list(topics), k=DEPTH, threads=1)
    return {qid: [ScoredDoc(hit.docid, hit.score) for hit in found.get(qid, [])] for qid in topics}
