"""Does a passage bear an answer? DPR's matching, and the Q-PEFT paper's R@k and H@k made of it.

DPR (Karpukhin et al., EMNLP 2020) compares sequences of lower-cased tokens after NFD: a token is a run of
letters, digits and marks, or one other visible character.
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
    """DPR's tokens of a text, lower-cased."""
    return [token.lower() for token in _TOKEN.findall(unicodedata.normalize("NFD", text))]


def has_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether the tokens of one of the answers stand in the text, side by side and in their order."""
    passage = _spaced(text)
    return any(_spaced(answer) in passage for answer in answers)


def _spaced(text: str) -> str:
    # No token holds a space, so with one around each token a sequence of tokens is a substring.
    return "".join(f" {token}" for token in tokenize(text)) + " "


def score_answers(
    run: Run,
    answers: Mapping[str, Sequence[str]],
    text_of: Callable[[str], str | None],
    cutoffs: Sequence[int] = DEFAULT_CUTOFFS,
    depth: int = 100,
) -> "pd.DataFrame":
    """The paper's R@k and H@k for each query with known answers (arXiv 2404.04522, section 4).

    R@k is the share of the list's answer-bearing passages that stand in its first k, 0 where there is none;
    H@k is 1 where at least one stands in the first k.

    Args:
        run: hits by qid; a query that the run lacks has an empty list.
        answers: answers by qid; each of its queries becomes a row.
        text_of: the text of a passage, None where it is unknown.
        cutoffs: the k.
        depth: passages of each list that count, from its top.

    Returns:
        Frame, qids by `in_list` (bool: an answer stands in the list), `R@k` and `H@k` for each k.

    Raises:
        QPeftError: a passage without text, an answer without a token, or a cutoff below 1.
    """
    import pandas as pd

    if min(cutoffs, default=0) < 1:
        raise QPeftError("the cutoffs of R@k and H@k must be 1 or more, and there must be one")

    @cache
    def passage(docid: str) -> str:
        text = text_of(docid)
        if text is None:
            raise QPeftError(f"the corpus has no document {docid}, so no answer can be looked for in it")
        return _spaced(text)

    rows = []
    for qid, accepted in answers.items():
        sought = [_spaced(answer) for answer in accepted]
        if " " in sought:
            raise QPeftError(f"query {qid} has an answer without a letter or sign, which every passage would bear")
        ranked = trec_eval_order(run.get(qid, []))[:depth]
        bears = [any(answer in passage(docid) for answer in sought) for docid in ranked]
        total = sum(bears)
        rows.append(
            [total > 0]
            + [sum(bears[:k]) / total if total else 0.0 for k in cutoffs]
            + [float(any(bears[:k])) for k in cutoffs]
        )
    columns = ["in_list", *(f"R@{k}" for k in cutoffs), *(f"H@{k}" for k in cutoffs)]
    frame = pd.DataFrame(rows, index=pd.Index(list(answers), name="qid"), columns=columns)
    return frame.astype({"in_list": bool})


def summarise_answers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Means of R@k and H@k: one row over all queries, one over those with an answer in the list."""
    import pandas as pd

    values = frame.drop(columns="in_list")
    found = values[frame["in_list"]]
    rows = pd.DataFrame([values.mean(), found.mean()], index=["all queries", "answer in the list"])
    rows.insert(0, "queries", [len(values), len(found)])
    return rows
