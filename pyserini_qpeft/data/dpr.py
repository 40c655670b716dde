"""DPR's JSON of questions with passages: the format that `qpeft train` reads and `qpeft mine` writes."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.data.fields import (
    DOCID_FIELDS,
    QID_FIELDS,
    as_id,
    as_query,
    as_score,
    first_of,
    without_surrogates,
)
from pyserini_qpeft.data.files import PathLike, atomic_write
from pyserini_qpeft.data.json_stream import json_objects
from pyserini_qpeft.data.passage import passage_text
from pyserini_qpeft.errors import QPeftError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ReadingReport:
    """Counts of what the reader left out.

    Attributes:
        questions: Questions in the files.
        without_positives: Questions skipped because they have no positive passage.
        positives_among_negatives: Negatives dropped because they are also a positive of the same question.
    """

    questions: int = 0
    without_positives: int = 0
    positives_among_negatives: int = 0

    def log(self, name: str) -> None:
        """Logs a warning for each kind of record that was left out."""
        if self.without_positives:
            logger.warning(
                "%s: %d of %d questions have no positive passage and are skipped",
                name,
                self.without_positives,
                self.questions,
            )
        if self.positives_among_negatives:
            logger.warning(
                "%s: %d negatives are also positives of the same question and are dropped",
                name,
                self.positives_among_negatives,
            )


@dataclass(slots=True)
class ExampleReader:
    """Reads examples one by one and counts what it leaves out.

    Attributes:
        report: The counts so far.
    """

    report: ReadingReport = field(default_factory=ReadingReport)

    def read(self, path: PathLike) -> Iterator[TrainingExample]:
        """Yields the examples of a file: `question, positive_ctxs, hard_negative_ctxs, negative_ctxs, answers`.

        A passage has `title` and `text`, and may have `passage_id` and `score`. The negatives are the hard negatives
        if there are any, and the other negatives if not. A question without an id is numbered by its place.

        Raises:
            QPeftError: The file does not exist, is empty or is a folder, the JSON is broken, or a question has no text
                or no list of positives.
        """
        if Path(path).is_dir():
            raise QPeftError(
                f"{path} is a folder: give a file in DPR's JSON, which qpeft mine writes from a BEIR folder."
            )
        for place, (where, record) in enumerate(json_objects(path, what="DPR's JSON of questions with passages")):
            self.report.questions += 1
            question = first_of(record, ("question", "query"))
            if question is None:
                raise QPeftError(f"{where}: no question: give a file in DPR's JSON, which qpeft mine writes.")
            query = as_query(question, where)
            if not query:
                raise QPeftError(f"{where}: the query is empty")
            given = first_of(record, QID_FIELDS)
            qid = str(place) if given is None else as_id(given, where, "the query id")
            if not isinstance(record.get("positive_ctxs"), list):
                raise QPeftError(f"{where}: question {query[:60]!r} has no list positive_ctxs.")
            positives = _passages(record, "positive_ctxs", f"{qid}-p", where)
            if not positives:
                self.report.without_positives += 1
                continue
            negatives = _passages(record, "hard_negative_ctxs", f"{qid}-h", where)
            negatives = negatives or _passages(record, "negative_ctxs", f"{qid}-n", where)
            known = {passage.text for passage in positives}
            kept = tuple(passage for passage in negatives if passage.text not in known)
            self.report.positives_among_negatives += len(negatives) - len(kept)
            answers = tuple(without_surrogates(str(answer)) for answer in record.get("answers") or ())
            yield TrainingExample(qid, query, positives, kept, answers)


def read_examples(paths: Iterable[PathLike]) -> tuple[list[TrainingExample], ReadingReport]:
    """Reads all examples of some files and logs what was left out.

    Raises:
        QPeftError: As `ExampleReader.read`; also if no example is left.
    """
    reader = ExampleReader()
    paths = list(paths)
    examples = [example for path in paths for example in reader.read(path)]
    names = ", ".join(str(path) for path in paths)
    reader.report.log(names)
    if not examples:
        raise QPeftError(f"{names}: none of the {reader.report.questions} questions has a positive passage.")
    repeated = [qid for qid, count in Counter(example.qid for example in examples).items() if count > 1]
    if repeated:
        logger.warning("%s: query id %s occurs more than once: questions are numbered instead", names, repeated[0])
        examples = [replace(example, qid=str(number)) for number, example in enumerate(examples)]
    return examples, reader.report


def write_examples(path: PathLike, examples: Iterable[TrainingExample]) -> int:
    """Writes examples as an array in DPR's JSON, one object per line; gzipped if the name ends in `.gz`.

    Returns:
        The number of examples written.
    """
    count = 0
    with atomic_write(path) as file:
        file.write("[")
        for example in examples:
            record = {
                "qid": example.qid,
                "question": example.query,
                "answers": list(example.answers),
                "positive_ctxs": [_record(passage) for passage in example.positives],
                "negative_ctxs": [],
                "hard_negative_ctxs": [_record(passage) for passage in example.negatives],
            }
            file.write((",\n" if count else "\n") + json.dumps(record, ensure_ascii=False))
            count += 1
        file.write("\n]\n")
    return count


def _passages(record: dict[str, Any], name: str, prefix: str, where: str) -> tuple[TrainingPassage, ...]:
    listed = record.get(name) or []
    if not isinstance(listed, list) or not all(isinstance(context, dict) for context in listed):
        raise QPeftError(f"{where}: {name} must be a list of passages (title, text).")
    passages = []
    for place, context in enumerate(listed):
        title, body = context.get("title") or "", context.get("text") or ""
        if not isinstance(title, str) or not isinstance(body, str):
            raise QPeftError(f"{where}: a passage of {name} has a title or text that is not a string.")
        text = passage_text(title, body)
        if text:
            docid = first_of(context, DOCID_FIELDS)
            score = context.get("score")
            passages.append(
                TrainingPassage(
                    docid=f"{prefix}{place}" if docid is None else as_id(docid, where, f"the docid in {name}"),
                    title=without_surrogates(title),
                    body=without_surrogates(body),
                    text=text,
                    score=as_score(score, where) if isinstance(score, int | float) else None,
                )
            )
    return tuple(passages)


def _record(passage: TrainingPassage) -> dict[str, Any]:
    record: dict[str, Any] = {"title": passage.title, "text": passage.body, "passage_id": passage.docid}
    return record if passage.score is None else {**record, "score": passage.score}
