"""How far a run reaches: its depth, the queries it lacks, and how much of it nobody has judged."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.evaluation.measures import trec_eval_order


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a run the qrels can see.

    Attributes:
        queries: judged queries that the run has.
        missing: judged queries that the run lacks, which count as 0.
        unjudged_queries: queries of the run without judgements, left out.
        depth: mean number of hits per judged query of the run.
        max_depth: the longest list.
        cutoff: hits of each list, from its top, that `unjudged` looks at.
        unjudged: share of those hits without a judgement for their query, 0 to 1.
        docids: distinct documents in the run.
        unknown_docids: those of them that the qrels name for no query at all.
    """

    queries: int
    missing: int
    unjudged_queries: int
    depth: float
    max_depth: int
    cutoff: int
    unjudged: float
    docids: int
    unknown_docids: int


def cover(run: Run, qrels: Qrels, cutoff: int = 10) -> Coverage:
    """Count what the qrels know of the run, with the unjudged share among the first `cutoff` hits."""
    judged = [qid for qid in qrels if run.get(qid)]
    lengths = [len(run[qid]) for qid in judged]
    heads = [(qid, docid) for qid in judged for docid in trec_eval_order(run[qid])[:cutoff]]
    docids = {hit.docid for qid in judged for hit in run[qid]}
    known = {docid for grades in qrels.values() for docid in grades}
    return Coverage(
        queries=len(judged),
        missing=len(qrels) - len(judged),
        unjudged_queries=sum(qid not in qrels for qid in run),
        depth=sum(lengths) / len(lengths) if lengths else 0.0,
        max_depth=max(lengths, default=0),
        cutoff=cutoff,
        unjudged=sum(docid not in qrels[qid] for qid, docid in heads) / len(heads) if heads else 0.0,
        docids=len(docids),
        unknown_docids=len(docids - known),
    )


def remarks(name: str, coverage: Coverage) -> Sequence[str]:
    """What a reader of the table must know about this run: one sentence for each thing."""
    told = []
    if coverage.missing:
        lacking = counted(coverage.missing, "judged query", "judged queries")
        told.append(f"{name} lacks {lacking}, counted as 0 (as in trec_eval -c).")
    if coverage.unjudged_queries:
        extra = counted(coverage.unjudged_queries, "query", "queries")
        told.append(f"{name} has {extra} without judgements, left out.")
    if coverage.unknown_docids == coverage.docids:
        told.append(f"no docid of {name} is in the qrels; do they number documents in another way?")
    elif coverage.unknown_docids:
        told.append(
            f"{coverage.unknown_docids:,} of the {coverage.docids:,} docids of {name} are in no judgement, "
            "and count as not relevant."
        )
    return told


def counted(count: int, one: str, many: str) -> str:
    """A number with the noun that goes with it."""
    return f"{count:,} {one if count == 1 else many}"
