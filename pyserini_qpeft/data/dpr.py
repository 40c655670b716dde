"""DPR's JSON of questions and passages, the one form that training reads and mining writes."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.data.fields import QID_FIELDS, as_query, first_of
from pyserini_qpeft.data.files import PathLike, atomic_write
from pyserini_qpeft.data.json_stream import stream_objects
from pyserini_qpeft.data.passage import passage_text
from pyserini_qpeft.errors import QPeftError

logger = logging.getLogger(__name__)

_DOCIDS = ("passage_id", "psg_id", "docid", "id")


@dataclass(slots=True)
class ReadingReport:
    """What was left out on reading, in counts.

    Attributes:
        questions: Questions in the files.
        without_positives: Skipped, for they have no positive passage.
        positives_among_negatives: Negatives dropped, for they are a positive of the same question too.
    """

    questions: int = 0
    without_positives: int = 0
    positives_among_negatives: int = 0

    def tell(self, name: str) -> None:
        """Warns of what was left out."""
        if self.without_positives:
            logger.warning(
                "%s: %d of %d questions have no positive passage and are skipped",
                name,
                self.without_positives,
                self.questions,
            )
        if self.positives_among_negatives:
            logger.warning(
                "%s: %d negatives are positives of the same question too and are dropped",
                name,
                self.positives_among_negatives,
            )


@dataclass(slots=True)
class ExampleReader:
    """Reads examples one after the other and counts what it leaves out.

    Attributes:
        report: The counts so far.
    """

    report: ReadingReport = field(default_factory=ReadingReport)

    def read(self, path: PathLike) -> Iterator[TrainingExample]:
        """Yields the examples of a file: `question, positive_ctxs, hard_negative_ctxs, negative_ctxs, answers`.

        A passage is `title, text`, and `passage_id` and `score` where they are known. Hard negatives are taken where
        there are any, else the others.

        Raises:
            QPeftError: No such file, an empty one, broken JSON, a question without text or with no list of
                positives; each with the file and line. A folder too: negatives have to be mined for it.
        """
        if Path(path).is_dir():
            raise QPeftError(
                f"{path} is a folder: give a file in DPR's JSON, which `qpeft mine` makes of a BEIR folder."
            )
        for place, (where, record) in enumerate(stream_objects(Path(path))):
            self.report.questions += 1
            query = as_query(first_of(record, ("question", "query")), where)
            qid = str(first_of(record, QID_FIELDS) if first_of(record, QID_FIELDS) is not None else place)
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
            answers = tuple(str(answer) for answer in record.get("answers") or ())
            yield TrainingExample(qid, query, positives, kept, answers)


def read_examples(paths: Iterable[PathLike]) -> tuple[list[TrainingExample], ReadingReport]:
    """Reads all examples of some files, and warns of what was left out.

    Raises:
        QPeftError: As `ExampleReader.read`; also where no example is left.
    """
    reader = ExampleReader()
    paths = list(paths)
    examples = [example for path in paths for example in reader.read(path)]
    names = ", ".join(str(path) for path in paths)
    reader.report.tell(names)
    if not examples:
        raise QPeftError(f"{names}: none of the {reader.report.questions} questions has a positive passage.")
    repeated = [qid for qid, count in Counter(example.qid for example in examples).items() if count > 1]
    if repeated:
        logger.warning("%s: query id %s occurs more than once: questions are numbered instead", names, repeated[0])
        examples = [replace(example, qid=str(number)) for number, example in enumerate(examples)]
    return examples, reader.report


def write_examples(path: PathLike, examples: Iterable[TrainingExample]) -> int:
    """Writes examples in DPR's JSON, one object a line within an array; gzipped if the name ends in `.gz`.

    Returns:
        How many were written.
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
            raise QPeftError(f"{where}: a passage of {name} has a title or text that is no string.")
        text = passage_text(title, body)
        if text:
            docid = first_of(context, _DOCIDS)
            score = context.get("score")
            passages.append(
                TrainingPassage(
                    docid=str(docid) if docid is not None else f"{prefix}{place}",
                    title=title,
                    body=body,
                    text=text,
                    score=float(score) if isinstance(score, int | float) else None,
                )
            )
    return tuple(passages)


def _record(passage: TrainingPassage) -> dict[str, Any]:
    record: dict[str, Any] = {"title": passage.title, "text": passage.body, "passage_id": passage.docid}
    return record if passage.score is None else {**record, "score": passage.score}
