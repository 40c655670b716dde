"""Training examples from a collection: relevant passages are positives, other first-stage hits hard negatives."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from pyserini_qpeft.checks import check_whole
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Document, iter_documents, passage_text
from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Run, Topics
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.errors import QPeftError

logger = logging.getLogger(__name__)

FirstStage = Callable[[Topics, int], Run]
"""Returns the hits of each query, down to a depth."""


@dataclass(frozen=True)
class MiningConfig:
    """Which hits become hard negatives.

    Raises:
        QPeftError: A number is out of its range.
    """

    negatives: int = field(default=10, metadata={"help": "largest number of hard negatives per query"})
    skip: int = field(
        default=0, metadata={"help": "number of top hits that are not used, because they may be relevant but unjudged"}
    )
    top_n: int = field(default=50, metadata={"help": "number of top hits that negatives are taken from"})
    choice: Literal["random", "first"] = field(
        default="random", metadata={"help": "take negatives at random, or the first ones"}
    )
    max_queries: int | None = field(
        default=None, metadata={"help": "number of queries, a random sample fixed by the seed (default: all)"}
    )
    seed: int = field(default=1, metadata={"help": "seed of the random choices"})

    def __post_init__(self) -> None:
        for name, least in (("negatives", 1), ("skip", 0), ("top_n", 1), ("max_queries", 1), ("seed", 0)):
            check_whole(getattr(self, name), name, least)
        if self.skip >= self.top_n:
            raise QPeftError(f"skip must be below top_n, and they are {self.skip} and {self.top_n}.")


@dataclass(slots=True)
class MiningReport:
    """Counts of what mining wrote and left out.

    Attributes:
        queries: Queries that were written.
        negatives: Negatives that were written.
        without_positives: Judged queries that were left out, because the corpus has no relevant passage for them.
        without_negatives: Queries that were written without a negative.
    """

    queries: int = 0
    negatives: int = 0
    without_positives: int = 0
    without_negatives: int = 0


class Miner:
    """Mines one collection in the BEIR layout.

    Args:
        collection: The folder: `corpus.jsonl[.gz]`, `queries.jsonl[.gz]`, `qrels/SPLIT.tsv`.
        split: Split of the qrels: train, dev or test.
        config: Which hits become hard negatives.

    Attributes:
        report: Counts so far.

    Raises:
        QPeftError: A file is missing or broken, or no judged query has a text.
    """

    def __init__(self, collection: Path, split: str, config: MiningConfig) -> None:
        self.collection = collection
        self.config = config
        self.report = MiningReport()
        beir = BeirFolder(collection)
        self.qrels = read_qrels(beir.qrels(split))
        topics = read_topics(beir.topics)
        judged = [qid for qid in self.qrels if qid in topics]
        if not judged:
            raise QPeftError(f"{collection}: no query of qrels/{split}.tsv has a text in its queries file.")
        if config.max_queries is not None and config.max_queries < len(judged):
            rng = np.random.default_rng(config.seed)
            chosen = sorted(rng.choice(len(judged), config.max_queries, replace=False))
            judged = [judged[place] for place in chosen]
        self.topics: Topics = {qid: topics[qid] for qid in judged}

    def examples(self, first_stage: FirstStage) -> Iterator[TrainingExample]:
        """Yields an example for each query that has a positive in the corpus.

        A hit is not used as a negative if it is a positive or has the same text as one, or if its text or docid is the
        text or id of the query.

        Args:
            first_stage: Finds the hits: a search of an index, or a stored run.
        """
        run = first_stage(self.topics, self.config.top_n)
        documents = self._documents(run)
        for place, (qid, query) in enumerate(self.topics.items()):
            hits = {hit.docid: hit.score for hit in run.get(qid, [])[: self.config.top_n]}
            relevant = [docid for docid, grade in self.qrels[qid].items() if grade > 0 and docid in documents]
            positives = tuple(_passage(documents[docid], hits.get(docid)) for docid in relevant)
            if not positives:
                self.report.without_positives += 1
                continue
            barred = {passage.text for passage in positives} | {query.strip()}
            eligible = [
                passage
                for docid, score in list(hits.items())[self.config.skip :]
                if docid in documents and docid != qid and docid not in relevant
                for passage in [_passage(documents[docid], score)]
                if passage.text and passage.text not in barred
            ]
            negatives = self._chosen(eligible, place)
            self.report.queries += 1
            self.report.negatives += len(negatives)
            self.report.without_negatives += not negatives
            yield TrainingExample(qid, query, positives, negatives)

    def _chosen(self, eligible: list[TrainingPassage], place: int) -> tuple[TrainingPassage, ...]:
        wanted = self.config.negatives
        if self.config.choice == "first" or len(eligible) <= wanted:
            return tuple(eligible[:wanted])
        rng = np.random.default_rng([self.config.seed, place])
        return tuple(eligible[i] for i in sorted(rng.choice(len(eligible), wanted, replace=False)))

    def _documents(self, run: Run) -> Mapping[str, Document]:
        wanted = {docid for qid in self.topics for docid, grade in self.qrels[qid].items() if grade > 0}
        wanted |= {hit.docid for qid in self.topics for hit in run.get(qid, [])[: self.config.top_n]}
        return {d.docid: d for d in iter_documents(self.collection) if d.docid in wanted}


def from_index(index: Path, threads: int = 1) -> FirstStage:
    """Returns a first stage that searches a Lucene index by BM25, with Pyserini's default settings."""

    def search(topics: Topics, depth: int) -> Run:
        from pyserini_qpeft.lucene.first_stage import search as lucene_search

        arguments = ["--index", str(index), "--bm25", "--hits", str(depth)]
        return lucene_search([*arguments, "--threads", str(threads), "--batch-size", "64"], topics)

    return search


def from_run(run: Run) -> FirstStage:
    """Returns a first stage that reads the hits of a stored run."""
    return lambda topics, depth: {qid: run[qid][:depth] for qid in topics if qid in run}


def _passage(document: Document, score: float | None) -> TrainingPassage:
    text = passage_text(document.title, document.text)
    return TrainingPassage(document.docid, document.title, document.text, text, score)
