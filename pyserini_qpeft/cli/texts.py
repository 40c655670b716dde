"""Opens the texts and queries that a command names: a corpus, an index, a file, or a name that Pyserini knows."""

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pyserini_qpeft.candidates.texts import TextSource
from pyserini_qpeft.data.irds import is_irds
from pyserini_qpeft.data.records import Run, ScoredDoc, Topics
from pyserini_qpeft.errors import QPeftError

KEPT_IN_MEMORY_BYTES = 1 << 29
"""The passages of a corpus file that is larger than this are read from a database."""

CORPUS = "BEIR folder, file of JSON documents, or name of ir_datasets (irds:beir/scifact)"
"""What a corpus is, in help texts."""

_TOPIC_FILES = {".csv", ".gz", ".json", ".jsonl", ".topics", ".trec", ".tsv", ".txt", ".xml"}


def add_text_options(parser: argparse._ActionsContainer, *, index: bool = True) -> None:
    """Adds the options for the source of passage texts; one source, if both are options."""
    source = parser.add_mutually_exclusive_group() if index else parser
    source.add_argument("--corpus", type=Path, metavar="PATH", help=f"{CORPUS}, with the texts of the hits")
    if index:
        source.add_argument(
            "--index", metavar="NAME", help="Lucene index (folder or prebuilt name), with the texts of the hits"
        )


def open_texts(
    corpus: Path | None, index: str | None, wanted: Callable[[], Collection[str]] | None = None
) -> TextSource | None:
    """Opens the corpus, or else the index, as a source of texts; None if neither is given.

    Args:
        corpus: BEIR folder or file.
        index: Folder or prebuilt name.
        wanted: Returns the docids whose texts are needed. Of a small corpus only these are kept in memory; a large
            one is copied to a database in the cache once.

    Returns:
        A source that raises an error with the docid if it does not have a text.
    """
    if corpus is not None:
        return _required(_passages(corpus, wanted).get, f"the corpus {corpus}")
    if index is not None:
        from pyserini_qpeft.lucene import StoredTexts

        return _required(StoredTexts(index), f"the index {index}")
    return None


def texts_of_run(
    run: Run, source: Path, corpus: Path | None, index: str | None, needed: Callable[[Sequence[ScoredDoc]], int]
) -> TextSource | None:
    """Opens the source of the texts that a run does not hold itself.

    Args:
        run: Hits, with or without texts.
        source: File of the run, for the message.
        corpus: As for `open_texts`.
        index: As for `open_texts`.
        needed: How many of a query's first hits need a text.

    Raises:
        QPeftError: Texts are missing and neither a corpus nor an index is given, or the corpus lacks one of them.
    """
    texts = open_texts(corpus, index, lambda: {docid for _, docid in _hits_without_text(run, needed)})
    for qid, docid in _hits_without_text(run, needed):
        if texts is None:
            raise QPeftError(
                f"{source} holds no text of document {docid} (query {qid}): give its source with --corpus or --index."
            )
        if corpus is None:
            break
        texts(docid)
    return texts


def topics_of_run(run: Run, source: Path, topics: str | None) -> Topics:
    """The queries of a run, from the topics or from the run itself.

    Raises:
        QPeftError: There are no topics, or they lack a query of the run or have no text for it.
    """
    known = open_topics(topics or str(source))
    for qid in run:
        if qid not in known:
            raise QPeftError(f"query {qid} of {source} is not among the topics {topics or source}, or is empty there.")
    return known


def open_topics(topics: str, topics_format: str = "default", split: str | None = None) -> Topics:
    """Reads the queries of a file, of a BEIR folder, or of topics that Pyserini knows by name.

    Args:
        topics: File, folder or name.
        topics_format: The format of the file, as in Pyserini.
        split: The split of the BEIR folder whose judged queries are read; None is all queries.

    Raises:
        QPeftError: There are no such topics, they cannot be read, or a format is given and they are a folder.
    """
    from pyserini_qpeft.data.topics import read_topics

    if Path(topics).is_dir():
        if topics_format != "default":
            raise QPeftError(f"--topics-format is the format of a file, and {topics} is a BEIR folder: leave it out.")
        return _topics_of_folder(Path(topics), split)
    # Pyserini's names have no folder and no suffix: for a missing file Java need not start.
    meant_as_file = "/" in topics or is_irds(topics) or Path(topics).suffix in _TOPIC_FILES
    if topics_format == "default" and (meant_as_file or Path(topics).exists()):
        return read_topics(topics)
    from pyserini_qpeft.lucene.topics import named_topics

    return named_topics(topics, topics_format)


def _topics_of_folder(folder: Path, split: str | None) -> Topics:
    from pyserini_qpeft.data.beir import BeirFolder
    from pyserini_qpeft.data.qrels import read_qrels
    from pyserini_qpeft.data.topics import read_topics

    files = BeirFolder(folder)
    topics = read_topics(files.topics)
    if split is None:
        return topics
    judged = read_qrels(files.qrels(split))
    if not (chosen := {qid: query for qid, query in topics.items() if qid in judged}):
        raise QPeftError(f"{files.topics} has none of the queries of {files.qrels(split)}.")
    return chosen


def _hits_without_text(run: Run, needed: Callable[[Sequence[ScoredDoc]], int]) -> Iterator[tuple[str, str]]:
    return (
        (qid, passage.docid)
        for qid, hits in run.items()
        for hit in hits[: needed(hits)]
        for passage in hit.passages or (hit,)
        if passage.text is None
    )


def _passages(corpus: Path, wanted: Callable[[], Collection[str]] | None) -> Mapping[str, str]:
    """The passages of a corpus: of a small one those that are wanted, in memory; of a large one all, in the cache."""
    from pyserini_qpeft.data.corpus import Corpus, corpus_file
    from pyserini_qpeft.data.files import user_read_errors
    from pyserini_qpeft.data.text_index import FORMAT, TextIndex, build_text_index
    from pyserini_qpeft.models.cache import build_once, cache_folder, file_hash

    file = corpus_file(corpus)
    with user_read_errors(file):
        size = file.stat().st_size if file.is_file() else 0  # a pipe is read once, and kept in memory
    if size <= KEPT_IN_MEMORY_BYTES:
        return Corpus.open(corpus, None if wanted is None else wanted())
    name, content = "passages.sqlite", file_hash(file)

    def build(draft: Path) -> None:
        build_text_index(file, draft / name)
        if file_hash(file) != content:  # the database would be found by a content that it does not have
            raise QPeftError(f"{file} changed while it was read: wait until it is complete.")

    return TextIndex(build_once(cache_folder() / "corpora" / f"{content}-{FORMAT}", build) / name)


def _required(texts: TextSource, where: str) -> TextSource:
    def text_of(docid: str) -> str:
        text = texts(docid)
        if text is None:
            raise QPeftError(f"document {docid} is not in {where}: check the docid, or name the source of its text.")
        return text

    return text_of
