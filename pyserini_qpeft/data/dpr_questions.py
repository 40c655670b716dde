"""DPR's question files: question, tab, and the list of its answers as Python or JSON writes it."""

import ast
from collections.abc import Iterator

from pyserini_qpeft.data.files import PathLike, numbered_lines
from pyserini_qpeft.errors import QPeftError


def answers_in_line(line: str) -> list[str] | None:
    """The answers in a line of question, tab, list of answers; None if the second column is not a list of strings."""
    _, tab, answers = line.partition("\t")
    # A CSV writer puts a list that has quotes in it between quotes, and doubles them.
    answers = answers.strip()
    if len(answers) > 1 and answers[0] == answers[-1] == '"':
        answers = answers[1:-1].replace('""', '"')
    if not tab or answers[:1] != "[" or answers[-1:] != "]":
        return None
    try:
        value = ast.literal_eval(answers)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(answer, str) for answer in value) else None


def read_dpr_questions(path: PathLike) -> Iterator[tuple[str, str, object]]:
    """Yields `file:line`, number from 0, and text of each question. The answers never become queries.

    Raises:
        QPeftError: A line is not question, tab, list of answers.
    """
    return ((where, qid, question) for where, qid, question, _ in _records(path))


def read_dpr_answers(path: PathLike) -> dict[str, list[str]]:
    """The accepted answers of each question by its number from 0; questions without answers are left out."""
    return {qid: answers for _, qid, _, answers in _records(path) if answers}


def _records(path: PathLike) -> Iterator[tuple[str, str, str, list[str]]]:
    for place, (number, line) in enumerate(numbered_lines(path)):
        answers = answers_in_line(line)
        if answers is None:
            raise QPeftError(
                f"{path}:{number}: no list of answers after the tab, where the lines before have question, tab, answers"
            )
        question = line.partition("\t")[0]
        if len(question) > 1 and question[0] == question[-1] == '"':
            question = question[1:-1].replace('""', '"')
        yield f"{path}:{number}", str(place), question, answers
