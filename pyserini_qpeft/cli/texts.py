"""The texts and queries that the verbs are given: from a corpus, an index, a file or a name."""

import argparse
from collections.abc import Collection
from pathlib import Path

from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.data.records import Run, Topics
from pyserini_qpeft.errors import QPeftError

_TOPIC_FILES = {".csv", ".gz", ".json", ".jsonl", ".topics", ".trec", ".tsv", ".txt", ".xml"}


def add_text_options(parser: argparse._ActionsContainer, *, index: bool = True) -> None:
    """Add the options that say where the text of a docid is."""
    parser.add_argument(
        "--corpus", type=Path, metavar="PATH", help="BEIR folder or .jsonl[.gz] with the texts; needs no Java"
    )
    if index:
        parser.add_argument("--index", metavar="NAME", help="Lucene index (folder or prebuilt name) with the texts")


def open_texts(corpus: Path | None, index: str | None, wanted: Collection[str] | None = None) -> TextSource | None:
    """The source of texts that was named: the corpus before the index, None where neither is.

    Args:
        corpus: BEIR folder or file.
        index: Folder or prebuilt name.
        wanted: The docids whose texts will be asked for; a corpus keeps no others in memory.

    Returns:
        A source that does not know None: a docid it has not is an error naming it.
    """
    if corpus is not None:
        from pyserini_qpeft.data.corpus import Corpus

        return _required(Corpus.open(corpus, wanted).get, f"the corpus {corpus}")
    if index is not None:
        from pyserini_qpeft.lucene import StoredTexts

        return _required(StoredTexts(index), f"the index {index}")
    return None


def texts_of_run(
    run: Run, source: Path, corpus: Path | None, index: str | None, depth: int | None
) -> TextSource | None:
    """The source of the texts that a run does not hold itself.

    Args:
        run: Hits, with or without texts.
        source: The run's file, for the message.
        corpus: As for `open_texts`.
        index: As for `open_texts`.
        depth: How many hits of each query need a text; None for all.

    Raises:
        QPeftError: Texts are missing and nothing was named to take them from, or a corpus has them not.
    """
    bare = {hit.docid: qid for qid, hits in run.items() for hit in hits[:depth] if hit.text is None}
    texts = open_texts(corpus, index, bare.keys())
    if bare and texts is None:
        docid, qid = next(iter(bare.items()))
        raise QPeftError(
            f"{source} holds no text of document {docid} (query {qid}): say where it is with --corpus or --index."
        )
    if corpus is not None and texts is not None:
        for docid in bare:
            texts(docid)
    return texts


def topics_of_run(run: Run, source: Path, topics: str | None, topics_format: str = "default") -> Topics:
    """The queries of a run, which may hold them itself.

    Raises:
        QPeftError: A query of the run is not among the topics, or there are none.
    """
    known = open_topics(topics or str(source), topics_format)
    for qid in run:
        if qid not in known:
            raise QPeftError(f"query {qid} of {source} is not among the topics {topics or source}.")
    return known


def open_topics(topics: str, topics_format: str = "default") -> Topics:
    """Queries of a file, or of a set that Pyserini knows by name."""
    from pyserini_qpeft.data.topics import read_topics

    # Pyserini's names have neither folder nor suffix: a file that is not there is told of without starting Java.
    meant_as_file = "/" in topics or Path(topics).suffix in _TOPIC_FILES
    if topics_format == "default" and (meant_as_file or Path(topics).exists()):
        return read_topics(topics)
    from pyserini_qpeft.lucene.topics import named_topics

    return named_topics(topics, topics_format)


def _required(texts: TextSource, where: str) -> TextSource:
    def text_of(docid: str) -> str:
        text = texts(docid)
        if text is None:
            raise QPeftError(f"document {docid} is not in {where}: is it the one that the run was made from?")
        return text

    return text_of
