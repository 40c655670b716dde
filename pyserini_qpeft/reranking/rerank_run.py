"""Reranking of a whole first-stage run into a file, query by query; a run that was stopped can be continued."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from pyserini_qpeft import __version__
from pyserini_qpeft.candidates.hits import to_candidates
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.data.files import PathLike
from pyserini_qpeft.data.records import RankedList, Run, Topics
from pyserini_qpeft.data.runs import formatter
from pyserini_qpeft.errors import NonFiniteScoreError, QPeftError
from pyserini_qpeft.reranking.fingerprint import config_settings, run_settings, texts_fingerprint
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.progress import passage_bar
from pyserini_qpeft.reranking.query_batches import query_batches
from pyserini_qpeft.reranking.requests import Request, Reranked, text_source
from pyserini_qpeft.reranking.resume import ResumableWriter
from pyserini_qpeft.scoring.report import ScoringReport
from pyserini_qpeft.windows.passage_run import FoldedRun, unfold

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.protocol import Reranker
    from pyserini_qpeft.scoring.row_scorer import OnScored


_TAIL_HITS_PER_PAIR = 20
"""Hits of a long tail count towards the size of a query batch too, because their lists are in memory until it ends."""


@dataclass(frozen=True)
class RunConfig:
    """How a reranked run is written.

    Attributes:
        output: The file; gzipped if its name ends in `.gz`. Finished queries are kept in `<output>.partial` until all
            are done.
        format: `trec`, `msmarco`, `csv` (a line for each hit, with both scores), or `jsonl` (a line for each query,
            with texts, hints and both scores).
        tag: Name of the run, the last column in TREC format.
        seconds: `jsonl` only: write each query's share of the scoring time.
        unfold: Write the passages of documents that are given as passages, and not the documents; see
            `windows.passage_run.unfold`. Hints are not written.
        restart: Start again, and drop an unfinished run of this output.
        progress: Show a progress bar.

    Raises:
        QPeftError: The format is unknown, or the tag of a TREC run is not one word.
    """

    output: PathLike = field(metadata={"changes_result": False})
    format: str = "trec"
    tag: str = field(default="qpeft", metadata={"help": "name of the run in TREC format"})
    seconds: bool = field(
        default=False, metadata={"help": "jsonl: write each query's share of the scoring time, for qpeft evaluate"}
    )
    unfold: bool = field(
        default=False,
        metadata={"help": "write the passages of --passages-from in their new order, and not their documents"},
    )
    restart: bool = field(
        default=False,
        metadata={"help": "start again, and drop an unfinished run of this output", "changes_result": False},
    )
    progress: bool = field(default=False, metadata={"changes_result": False})

    def __post_init__(self) -> None:
        formatter(self.format, self.tag)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a call of `rerank_run` did.

    Attributes:
        queries: Queries that were reranked by this call, those of an earlier one not counted.
        scoring: Counts and time of scoring.
    """

    queries: int
    scoring: ScoringReport


class Engine(Protocol):
    """Scores query batches elsewhere; see `engines`."""

    def rerank(
        self, batches: Iterable[Sequence[Request]], *, hints: bool
    ) -> Iterator[tuple[int, list[Reranked], ScoringReport]]:
        """Yields the number of each query batch, its lists, and what scoring it took; in any order of the batches."""
        ...


def rerank_run(
    run: Run,
    topics: Topics,
    config: RunConfig,
    reranker: "Reranker",
    *,
    searcher: Any = None,
    corpus: Any = None,
    engine: Engine | None = None,
) -> RunReport:
    """Rerank a run and write it.

    Each finished query is kept at once. If the process is killed, the next call with the same arguments reranks
    the other queries, and writes the file that one call would have written, byte for byte: queries are scored
    in the same query batches, each as a whole. (With a passage cache, scores may differ by rounding.)

        rerank_run(read_run("bm25.txt"), read_topics("queries.jsonl"), RunConfig("run.txt"), reranker,
                   corpus=Corpus.open("scifact"))

    Args:
        run: First-stage hits by qid; a `FoldedRun` for documents that are given as passages.
        topics: The queries by qid; at least those of the run.
        config: What is written, and where.
        reranker: Reranks the hits.
        searcher: Gives the texts of hits that have none; see `AbstractReranker.rerank`.
        corpus: The same.
        engine: Scores the query batches on other machines; None is the reranker itself.

    Raises:
        QPeftError: The unfinished run of this output was made with other settings, another model, other hits or other
            texts, which are named; another process is writing it; a text is missing; or the file cannot be written.
    """
    topics = {qid: as_text(topics.get(qid), f"query {qid}") for qid in run}
    settings = {
        "version": __version__,
        **run_settings(run, topics),
        **config_settings(config),
        **reranker.settings(),
    }
    texts = text_source(searcher, corpus)
    with ResumableWriter(
        config.output, run, settings, form=config.format, tag=config.tag, restart=config.restart
    ) as writer:
        _refuse_other_texts(writer, run, reranker, texts)
        unfinished = writer.unfinished
        passages: dict[str, int] = {}
        loads: dict[str, int] = {}
        for qid, hits in run.items():
            passages[qid] = reranker.passages(len(hits))
            loads[qid] = max(passages[qid], len(hits) // _TAIL_HITS_PER_PAIR)
        batches = [
            batch
            for batch in query_batches(run, lambda qid: loads[qid], reranker.query_batch_pairs)
            if not writer.finished.keys() >= set(batch)
        ]
        report, shares = ScoringReport(), _TimeShares()
        scored = sum(passages.values()) - sum(passages[qid] for batch in batches for qid in batch)
        try:
            with passage_bar(sum(passages.values()), scored=scored, shown=config.progress) as bar:
                fingerprints: dict[str, str] = {}

                def request(qid: str) -> Request:
                    hits = run[qid]
                    head = to_candidates(hits[: reranker.needed_texts(hits)], texts)
                    fingerprints[qid] = _fingerprint(head)
                    return topics[qid], [*head, *((hit.docid, hit.score) for hit in hits[len(head) :])]

                requests = (list(map(request, batch)) for batch in batches)
                hints = config.format == "jsonl"
                done: Iterator[tuple[str, Reranked]]
                if engine is None:
                    options = CallOptions(hints=hints, report=report, on_scored=bar.update)
                    lists = reranker.rerank_query_batches(requests, options)
                    done = zip(chain(*batches), lists, strict=True)
                else:
                    done = _from_engine(engine, batches, requests, hints, report, passages, bar.update)
                for qid, reranked in done:
                    seconds = shares.next(report, reranked.passages)
                    fingerprint = fingerprints.pop(qid)
                    if qid not in writer.finished:
                        ranked, tokens = reranked.hits, reranked.hints
                        if config.unfold and isinstance(run, FoldedRun):
                            ranked, tokens = unfold(ranked, run.passages(qid)), None
                        took = seconds if config.seconds else None
                        written = RankedList(qid, topics[qid], ranked, tokens, took, reranked.prior, reranked.dropped)
                        writer.write(written, fingerprint)
        except NonFiniteScoreError as error:
            qid = next(qid for qid in run if topics[qid] == error.query)
            raise QPeftError(f"query {qid}: {error}") from error
    return RunReport(len(unfinished), report)


def _from_engine(
    engine: Engine,
    batches: Sequence[Sequence[str]],
    requests: Iterable[Sequence[Request]],
    hints: bool,
    report: ScoringReport,
    passages: Mapping[str, int],
    on_scored: "OnScored",
) -> Iterator[tuple[str, Reranked]]:
    for number, lists, one in engine.rerank(requests, hints=hints):
        report.add(one)
        on_scored(sum(passages[qid] for qid in batches[number]))
        yield from zip(batches[number], lists, strict=True)


class _TimeShares:
    """The time of each query batch, shared among its queries by their passages."""

    def __init__(self) -> None:
        self._passages, self._seconds, self._per_passage = 0, 0.0, 0.0

    def next(self, report: ScoringReport, passages: int) -> float:
        if report.passages > self._passages:
            self._per_passage = (report.seconds - self._seconds) / (report.passages - self._passages)
            self._passages, self._seconds = report.passages, report.seconds
        return self._per_passage * passages


def _fingerprint(candidates: Iterable[Candidate]) -> str:
    return texts_fingerprint((one.docid, one.text) for one in candidates)


def _refuse_other_texts(writer: ResumableWriter, run: Run, reranker: "Reranker", texts: TextSource | None) -> None:
    for qid, fingerprint in writer.finished.items():
        hits = run[qid]
        if _fingerprint(to_candidates(hits[: reranker.needed_texts(hits)], texts)) != fingerprint:
            raise QPeftError(
                f"{writer.partial} is an unfinished run, and the texts of query {qid} have changed since. "
                "Set the corpus back to continue it, or restart."
            )
