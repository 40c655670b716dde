"""Compares the chains that are computed from scores with the real `CascadeReranker`."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.cascades.chains import Chain, Scored, Stage, rank
from benchmarks.cascades.score import LARGE, SMALL
from pyserini_qpeft import CascadeReranker, FusionConfig
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.topics import read_topics

CHAIN: Chain = (Stage(SMALL, 50, 0.6), Stage(LARGE, 7, 0.75))


def same_as_the_real_one(collections: Sequence[Scored], shared: Path, queries: int) -> str:
    """Rerank some queries of each collection by the real cascade, and compare the lists.

    Likelihoods depend a little on the batch, so hits with nearly equal scores may change places.

    Returns:
        A sentence for each collection.
    """
    words = ",".join(f"{stage.model}@{stage.depth}:{stage.weight}" for stage in CHAIN)
    cascade = CascadeReranker.from_pretrained(words)
    assert [stage.config.fusion for stage in cascade.stages] == [FusionConfig(weight=one.weight) for one in CHAIN]
    lines = []
    for one in collections:
        folder = shared / "data" / one.name
        topics = read_topics(BeirFolder(folder).topics)
        asked = one.queries[:queries]
        corpus = Corpus.open(folder, {docid for query in asked for docid, _ in query["hits"]})
        same, largest = 0, 0.0
        for query in asked:
            ranked = cascade.rerank(topics[query["qid"]], [tuple(hit) for hit in query["hits"]], corpus=corpus)
            computed, _ = rank(CHAIN, query)
            same += [hit.docid for hit in ranked] == [hit.docid for hit in computed]
            scores = {hit.docid: hit.score for hit in computed}
            largest = max([largest, *(abs(hit.score - scores[hit.docid]) for hit in ranked)])
        lines.append(f"{one.name}: {same} of {len(asked)} lists are equal; largest difference of a score {largest:.4f}")
    return "\n".join(lines)
