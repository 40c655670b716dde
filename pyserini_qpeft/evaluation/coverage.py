"""How much of a run the qrels cover: depth, missing queries, and the share of unjudged hits."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.records import Qrels, Run
from pyserini_qpeft.errors import counted
from pyserini_qpeft.evaluation.measures import trec_eval_order


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a run the qrels cover.

    Attributes:
        queries: Judged queries that are in the run.
        missing: Judged queries that are not in the run; they count as 0.
        unjudged_queries: Queries of the run that are not in the qrels; they are left out.
        depth: Mean number of hits of the judged queries in the run.
        max_depth: Length of the longest list.
        cutoff: Hits of each list, from its top, that `unjudged` is computed on.
        unjudged: Share of these hits that are not judged for their query, 0 to 1.
        docids: Distinct documents in the run.
        unknown_docids: Those of them that are not in the qrels of any query.
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
    """Count how much of the run the qrels cover, with the share of unjudged hits among the first `cutoff`."""
    queries = hits_in_all = max_depth = seen = unjudged = 0
    docids = _DistinctDocids()
    for qid, grades in qrels.items():
        hits = run.get(qid)
        if not hits:
            continue
        head = trec_eval_order(hits)[:cutoff]
        queries += 1
        hits_in_all += len(hits)
        max_depth = max(max_depth, len(hits))
        seen += len(head)
        unjudged += sum(docid not in grades for docid in head)
        docids.add(hit.docid for hit in hits)
    known = _DistinctDocids()
    known.add(docid for grades in qrels.values() for docid in grades)
    return Coverage(
        queries=queries,
        missing=len(qrels) - queries,
        unjudged_queries=sum(qid not in qrels for qid in run),
        depth=hits_in_all / queries if queries else 0.0,
        max_depth=max_depth,
        cutoff=cutoff,
        unjudged=unjudged / seen if seen else 0.0,
        docids=len(docids.hashes()),
        unknown_docids=len(np.setdiff1d(docids.hashes(), known.hashes(), assume_unique=True)),
    )


class _DistinctDocids:
    """Counts distinct docids by their hashes of 64 bits: millions of docids take 8 bytes each."""

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, docids: Iterable[str]) -> None:
        self._hashes.extend(map(hash, docids))

    def hashes(self) -> npt.NDArray[np.int64]:
        return np.unique(np.frombuffer(self._hashes, dtype=np.int64))


def remarks(name: str, coverage: Coverage) -> Sequence[str]:
    """Return the notes on a run for the readers of a table, one sentence each."""
    sentences = []
    if coverage.missing:
        missing = counted(coverage.missing, "judged query is", "judged queries are")
        sentences.append(f"{missing} missing from {name} and scored as 0 (as in trec_eval -c).")
    if coverage.unjudged_queries:
        extra = counted(coverage.unjudged_queries, "query is", "queries are")
        sentences.append(f"{extra} in {name} but not in the qrels, and left out.")
    if coverage.docids and coverage.unknown_docids == coverage.docids:
        sentences.append(f"no docid of {name} is in the qrels: check that both use the same docids.")
    elif coverage.unknown_docids:
        sentences.append(
            f"{coverage.unknown_docids:,} of the {coverage.docids:,} docids of {name} are not in the qrels, "
            "and count as not relevant."
        )
    return sentences
