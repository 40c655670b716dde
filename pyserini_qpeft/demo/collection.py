"""The collection of the demo in the BEIR layout: the documentation of this Python, and questions about it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyserini_qpeft.data.beir import BeirFolder, write_beir_folder
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.records import Qrels, Topics
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.demo import documentation

QUESTIONS = Path(__file__).parents[1] / "resources" / "demo"
"""Folder of the questions, and of their qrels by qualified name (2: answers, 1: helps)."""


@dataclass(frozen=True, slots=True)
class DemoCollection:
    """A collection on disk.

    Attributes:
        folder: BEIR folder: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.
        documents: Number of documented names.
        fingerprint: SHA-256 of the corpus, in hexadecimal.
        topics: The questions.
        qrels: Grades of the names that answer them, without names that this Python lacks.
        missing: Judged names that the library of this Python lacks, sorted.
    """

    folder: Path
    documents: int
    fingerprint: str
    topics: Topics
    qrels: Qrels
    missing: tuple[str, ...]


def write_collection(folder: Path, questions: int | None = None, first: Sequence[str] = ()) -> DemoCollection:
    """Read the documentation, and write it with the questions.

    Args:
        folder: BEIR folder to write to; it is created if needed.
        questions: How many of the shipped questions, from the first; None is all.
        first: Ids of questions that come before the others.

    Raises:
        QPeftError: The folder cannot be written to.
    """
    corpus = read_documentation()
    names = {json.loads(line)["_id"] for line in corpus.split("\n") if line}
    topics, qrels, missing = questions_about(names, questions, first)
    write_beir_folder(folder, corpus, topics, qrels)
    fingerprint = hashlib.sha256(corpus.encode()).hexdigest()
    return DemoCollection(folder, len(names), fingerprint, topics, qrels, missing)


def read_documentation() -> str:
    """The documentation of the standard library, a JSON line for each public name; see `demo.documentation`."""
    program = [sys.executable, "-I", "-S", documentation.__file__]
    return subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def questions_about(
    names: set[str], questions: int | None = None, first: Sequence[str] = ()
) -> tuple[Topics, Qrels, tuple[str, ...]]:
    """The shipped questions and their qrels, without judged names that are not in `names`.

    Args:
        names: Docids of the collection.
        questions: How many questions, from the first; None is all. A question without answers in `names` is left out.
        first: Ids of questions that come before the others.

    Returns:
        The questions, their qrels, and the judged names that were left out.
    """
    shipped = read_topics(BeirFolder(QUESTIONS).topics)
    topics: Topics = {}
    qrels: Qrels = {}
    missing: set[str] = set()
    judged = read_qrels(QUESTIONS / "qrels.tsv")
    for qid in dict.fromkeys([*first, *judged]):
        grades = judged[qid]
        if len(topics) == questions:
            break
        known = {name: grade for name, grade in grades.items() if name in names}
        missing |= grades.keys() - known
        if known:
            topics[qid], qrels[qid] = shipped[qid], known
    return topics, qrels, tuple(sorted(missing))
