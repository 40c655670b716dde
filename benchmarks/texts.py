"""The texts that are scored: NFCorpus test queries with BM25's hits, or generated texts of the same lengths."""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.generated import generate
from benchmarks.memory import in_own_process
from pyserini_qpeft.candidates.hits import first_stage_hits
from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.records import RankedList
from pyserini_qpeft.data.runs import read_run, write_run
from pyserini_qpeft.data.topics import read_topics

DEPTH = 100

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """A query with the passages of its first-stage hits, best first."""

    query: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextSet:
    """The texts that are scored.

    Attributes:
        topics: Queries with their hits.
        passages: All passages of the collection.
        source: A description of the texts.
    """

    topics: tuple[Topic, ...]
    passages: tuple[str, ...]
    source: str

    def pairs(self, count: int) -> list[Pair]:
        """Returns about `count` (query, passage) pairs: a sample of the passages, each with all of its queries.

        Passages thus occur as often as in the whole list, as a passage cache needs.
        """
        wanted: dict[str, list[int]] = {}
        for number, topic in enumerate(self.topics):
            for passage in dict.fromkeys(topic.passages):
                wanted.setdefault(passage, []).append(number)
        order = sorted(wanted)
        Random(1).shuffle(order)
        chosen = [(number, passage) for passage in order for number in wanted[passage]][:count]
        return [(self.topics[number].query, passage) for number, passage in sorted(chosen)]

    def full(self, count: int) -> list[Topic]:
        """Returns `count` topics with the full depth, spread over the file; the first topics if too few are full."""
        full = [topic for topic in self.topics if len(topic.passages) >= DEPTH]
        if len(full) < count:
            return list(self.topics[:count])
        step = len(full) // count
        return [Topic(topic.query, topic.passages[:DEPTH]) for topic in islice(full, 0, count * step, step)]

    def filled(self) -> list[Topic]:
        """Returns all topics with the full depth: shorter lists are filled up with other passages."""
        rest = cycle(self.passages)
        depth = min(DEPTH, len(self.passages))
        filled = []
        for topic in self.topics:
            own = dict.fromkeys(topic.passages)
            while len(own) < depth:
                own.setdefault(next(rest))
            filled.append(Topic(topic.query, tuple(own)))
        return filled


def nfcorpus(data: Path, cache: Path, tokenizer: Any, passage_tokens: int) -> TextSet:
    """Returns NFCorpus's test queries with BM25's top 100; index and run are kept in the cache folder.

    Args:
        data: The collection in the BEIR layout.
        cache: Folder for the index and the run.
        tokenizer: Cuts the passages.
        passage_tokens: Tokens that passages are cut to.
    """
    run_file = cache / "nfcorpus.bm25.txt"
    if not run_file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        in_own_process(_retrieve, data, cache / "nfcorpus-index", run_file)
    run, queries, corpus = read_run(run_file), read_topics(BeirFolder(data).topics), Corpus.open(data)
    cut = dict(zip(corpus, cut_texts(list(corpus.values()), tokenizer, passage_tokens), strict=True))
    topics = [Topic(queries[qid], tuple(cut[hit.docid] for hit in run.get(qid, ()))) for qid in _judged(data)]
    found = sum(len(topic.passages) for topic in topics)
    return TextSet(
        tuple(topics),
        tuple(dict.fromkeys(cut.values())),
        f"NFCorpus, {len(topics)} test queries with BM25's top {DEPTH} ({found:,} pairs), passages cut to "
        f"{passage_tokens} tokens",
    )


def generated(tokenizer: Any, passage_tokens: int, queries: int) -> TextSet:
    """Returns generated topics with NFCorpus's lengths, for machines without the collection."""
    topics = generate(tokenizer, queries, DEPTH)
    every = list(dict.fromkeys(passage for _, passages in topics for passage in passages))
    cut = dict(zip(every, cut_texts(every, tokenizer, passage_tokens), strict=True))
    return TextSet(
        tuple(Topic(query, tuple(cut[passage] for passage in passages)) for query, passages in topics),
        tuple(dict.fromkeys(cut.values())),
        f"generated texts of NFCorpus's lengths, {queries} queries, passages cut to {passage_tokens} tokens",
    )


def cut_texts(texts: list[str], tokenizer: Any, tokens: int) -> list[str]:
    """Cuts each text after `tokens` tokens, so that all ways of scoring read the same text."""
    offsets = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return [
        text if len(spans) <= tokens else text[: spans[tokens - 1][1]]
        for text, spans in zip(texts, offsets, strict=True)
    ]


def _retrieve(data: Path, index: Path, run_file: Path) -> None:
    from pyserini_qpeft.lucene import build_index
    from pyserini_qpeft.lucene.first_stage import search

    if not index.is_dir():
        build_index(data, index)
    every = read_topics(BeirFolder(data).topics)
    queries = {qid: every[qid] for qid in _judged(data)}
    run = search(["--index", str(index), "--bm25", "--hits", str(DEPTH)], queries)
    write_run(
        run_file, [RankedList(qid, queries[qid], first_stage_hits(hits, first_rank=1)) for qid, hits in run.items()]
    )


def _judged(data: Path) -> list[str]:
    lines = BeirFolder(data).qrels("test").read_text(encoding="utf-8").splitlines()[1:]
    return list(dict.fromkeys(line.split("\t")[0] for line in lines))
