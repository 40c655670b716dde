"""Whether a passage contains an answer, by DPR's matching, and the measures R@k and H@k of the Q-PEFT paper.

DPR (Karpukhin et al., EMNLP 2020) compares sequences of lower-cased tokens after Unicode normalisation (NFD). A token
is a sequence of letters, digits and marks, or one other visible character.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import regex

from pyserini_qpeft.data.records import Run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import trec_eval_order

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_CUTOFFS = tuple(range(5, 51, 5))

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")


def tokenize(text: str) -> list[str]:
    """Split a text into DPR's tokens, in lower case."""
    return [token.lower() for token in _TOKEN.findall(unicodedata.normalize("NFD", text))]


def has_answer(text: str, answers: Sequence[str]) -> bool:
    """Return whether the tokens of at least one answer occur in the text, adjacent and in their order."""
    passage = _spaced(text)
    return any(_spaced(answer) in passage for answer in answers)


def _spaced(text: str) -> str:
    # No token contains a space, so a sequence of tokens, with a space around each, is a substring.
    return "".join(f" {token}" for token in tokenize(text)) + " "


def score_answers(
    run: Run,
    answers: Mapping[str, Sequence[str]],
    text_of: Callable[[str], str | None],
    cutoffs: Sequence[int] = DEFAULT_CUTOFFS,
    depth: int = 100,
) -> "pd.DataFrame":
    """Compute the paper's R@k and H@k for each query with known answers (arXiv 2404.04522, section 4).

    Of all passages in a list that contain an answer, R@k is the share that is among the first k; it is 0 if no passage
    contains one. H@k is 1 if at least one of the first k passages contains an answer, else 0.

    Args:
        run: Hits by qid; a query that is not in the run counts as an empty list.
        answers: Answers by qid; each of these queries becomes a row.
        text_of: Returns the text of a docid, or None if it is unknown.
        cutoffs: The values of k.
        depth: Passages of each list that are used, from its top.

    Returns:
        Frame with a row for each qid, and the columns `in_list` (bool: a passage of the list contains an answer),
        `R@k` and `H@k` for each k.

    Raises:
        QPeftError: A passage has no text, an answer has no token, or a cutoff is below 1.
    """
    import pandas as pd

    if min(cutoffs, default=0) < 1:
        raise QPeftError("R@k and H@k need at least one cutoff, and every cutoff must be 1 or more")

    @cache
    def passage(docid: str) -> str:
        text = text_of(docid)
        if text is None:
            raise QPeftError(
                f"the corpus has no document {docid}, so answers cannot be matched: give the corpus of the run"
            )
        return _spaced(text)

    rows = []
    for qid, accepted in answers.items():
        sought = [_spaced(answer) for answer in accepted]
        if " " in sought:
            raise QPeftError(f"query {qid} has an answer without a visible character, which every passage would match")
        ranked = trec_eval_order(run.get(qid, []))[:depth]
        matches = [any(answer in passage(docid) for answer in sought) for docid in ranked]
        total = sum(matches)
        rows.append(
            [total > 0]
            + [sum(matches[:k]) / total if total else 0.0 for k in cutoffs]
            + [float(any(matches[:k])) for k in cutoffs]
        )
    columns = ["in_list", *(f"R@{k}" for k in cutoffs), *(f"H@{k}" for k in cutoffs)]
    frame = pd.DataFrame(rows, index=pd.Index(list(answers), name="qid"), columns=columns)
    return frame.astype({"in_list": bool})


def summarise_answers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Average R@k and H@k: one row over all queries, one over the queries with an answer in their list."""
    import pandas as pd

    values = frame.drop(columns="in_list")
    found = values[frame["in_list"]]
    rows = pd.DataFrame([values.mean(), found.mean()], index=["all queries", "answer in the list"])
    rows.insert(0, "queries", [len(values), len(found)])
    return rows
