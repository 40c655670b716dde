"""Compares the chains that are computed from scores with the real `CascadeReranker`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cascades.chains import Chain, Scored, Stage, rank, with_margin
from benchmarks.cascades.score import SMALL
from pyserini_qpeft import CascadeReranker
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.data.topics import read_topics

CHAIN: Chain = (Stage(SMALL, 50, 0.6), with_margin(1.0))


def same_as_the_real_one(collections: Sequence[Scored], shared: Path, queries: int) -> str:
    """Rerank some queries of each collection by the real cascade, and rank them by its likelihoods too.

    Both lists must be equal, docids and scores. The likelihoods are also compared with the stored ones, which differ by
    rounding, because another number of passages was scored together.

    Returns:
        A line for each collection.
    """
    cascade = CascadeReranker.from_pretrained(",".join(stage.words for stage in CHAIN))
    lines = []
    for one in collections:
        folder = shared / "data" / one.name
        topics = read_topics(BeirFolder(folder).topics)
        asked = one.queries[:queries]
        corpus = Corpus.open(folder, {docid for query in asked for docid, _ in query["hits"]})
        same, largest, top = 0, 0.0, 0
        for query in asked:
            ranked = cascade.rerank(topics[query["qid"]], [tuple(hit) for hit in query["hits"]], corpus=corpus)
            own = with_likelihoods(query, ranked)
            computed, _ = rank(CHAIN, own)
            same += [(hit.docid, hit.score) for hit in ranked] == [(hit.docid, hit.score) for hit in computed]
            for stage in CHAIN:
                stored = query[stage.model]["likelihoods"]
                found = own[stage.model]["likelihoods"]
                largest = max([largest, *(abs(found[docid] - stored[docid]) for docid in found if docid in stored)])
            top += len({hit.docid for hit in ranked[:10]} & {hit.docid for hit in rank(CHAIN, query)[0][:10]})
        lines.append(
            f"{one.name}: {same} of {len(asked)} lists are equal; against the stored likelihoods, the largest "
            f"difference is {largest:.3f}, and {top} of {10 * len(asked)} hits are in both first tens"
        )
    return "\n".join(lines)


def with_likelihoods(query: Mapping[str, Any], ranked: Sequence[RankedHit]) -> dict[str, Any]:
    """The record of a query with the likelihoods that a cascade has found."""
    own = dict(query)
    for place, stage in enumerate(CHAIN):
        found = {hit.docid: hit.stages[place].likelihood for hit in ranked if hit.stages is not None}
        kept = {docid: likelihood for docid, likelihood in found.items() if likelihood is not None}
        own[stage.model] = {"likelihoods": kept, "tokens": dict.fromkeys(kept, 0)}
    return own
