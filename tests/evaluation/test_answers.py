"""DPR's matching against Pyserini's own, and R@k and H@k against a count made here."""

import gzip
import json
import random
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from pyserini_qpeft.data.records import Run, ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.answers import has_answer, score_answers, summarise_answers, tokenize


def run_of(**ranked: str) -> Run:
    return {qid: [ScoredDoc(d, float(-i)) for i, d in enumerate(docids)] for qid, docids in ranked.items()}


def lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_tokens_are_runs_of_letters_digits_marks_and_single_signs():
    assert tokenize("O'Neill,  3.5%\u200b naïve 東京") == [
        *("o", "'", "neill", ",", "3", ".", "5", "%"),
        unicodedata.normalize("NFD", "naïve"),
        "東京",
    ]


@pytest.mark.parametrize(
    ("text", "answer", "bears"),
    [
        ("He was born in Zürich.", "Zu\u0308rich", True),
        ("the Paris agreement", "paris", True),
        ("comparison", "paris", False),
        ("New York City", "York New", False),
        ("it cost $12 then", "$12", True),
        ("May 18, 2018", "May 18 2018", False),
        ("", "x", False),
    ],
)
def test_an_answer_is_a_sequence_of_whole_tokens(text: str, answer: str, bears: bool):
    assert has_answer(text, [answer]) is bears


def test_matching_equals_pyserinis_on_a_thousand_pairs(shared: Path):
    dpr = pytest.importorskip("pyserini.eval.evaluate_dpr_retrieval")
    draw = random.Random(0)
    pairs = []
    for name in ("squad-v1.1-dev", "nq-open-oracle"):
        texts = [document["text"] for document in lines(shared / "data" / name / "corpus.jsonl.gz")]
        queries = lines(shared / "data" / name / "queries.jsonl.gz")
        answers = [query["metadata"]["answers"] for query in queries]
        pairs += [(draw.choice(texts), draw.choice(answers)) for _ in range(150)]
        # Pairs at random rarely match: cut answers out of the passage itself, at words and within them.
        for _ in range(200):
            text = draw.choice(texts)
            start = draw.randrange(len(text))
            pairs.append((text, [text[start : start + draw.randrange(1, 25)].upper()]))
            words = text.split()
            start = draw.randrange(len(words))
            pairs.append((text, [" ".join(words[start : start + draw.randrange(1, 5)]).upper()]))
    tokenizer = dpr.SimpleTokenizer()
    theirs = [dpr.has_answers(text, answers, tokenizer) for text, answers in pairs]
    assert len(pairs) == 1100
    assert 300 < sum(theirs) < 900
    assert [has_answer(text, answers) for text, answers in pairs] == theirs


def test_r_and_h_count_the_answer_bearing_passages_of_the_list():
    texts = {"a": "red", "b": "blue sky", "c": "the Blue!", "d": "green"}
    frame = score_answers(
        run_of(q1="abcd", q2="ad"), {"q1": ["blue"], "q2": ["blue"], "q3": ["x"]}, texts.get, cutoffs=(1, 2, 3)
    )
    assert frame.loc["q1"].tolist() == [True, 0.0, 0.5, 1.0, 0.0, 1.0, 1.0]
    assert frame.loc["q2"].tolist() == [False] + [0.0] * 6
    assert frame.loc["q3"].tolist() == [False] + [0.0] * 6
    summary = summarise_answers(frame)
    assert summary.loc["all queries", "queries"] == 3
    assert summary.loc["all queries", "H@2"] == pytest.approx(1 / 3)
    assert summary.loc["answer in the list", "queries"] == 1
    assert summary.loc["answer in the list", "R@2"] == 0.5


@pytest.mark.parametrize("name", ["squad-v1.1-dev", "nq-open-oracle"])
def test_r_and_h_equal_an_independent_count(shared: Path, name: str):
    folder = shared / "data" / name
    texts = {document["_id"]: document["text"] for document in lines(folder / "corpus.jsonl.gz")}
    answers = {query["_id"]: query["metadata"]["answers"] for query in lines(folder / "queries.jsonl.gz")[:100]}
    draw = random.Random(1)
    gold = {}
    for row in "\n".join((folder / f"qrels/{split}.tsv").read_text() for split in ("train", "dev", "test")).split("\n"):
        if row.count("\t") == 2 and not row.startswith("query-id"):
            gold[row.split("\t")[0]] = row.split("\t")[1]
    run: Run = {}
    for qid in answers:
        docids = draw.sample(sorted(texts), 40)
        if draw.random() < 0.7:
            docids[draw.randrange(40)] = gold[qid]
        run[qid] = [ScoredDoc(docid, 100.0 - place) for place, docid in enumerate(dict.fromkeys(docids))]

    @cache
    def words(text: str) -> list[str]:
        found, word = [], ""
        for sign in [*unicodedata.normalize("NFD", text), " "]:
            kind = unicodedata.category(sign)[0]
            if kind in "LNM":
                word += sign
                continue
            found += [word.lower()] if word else []
            word = ""
            found += [sign.lower()] if kind not in "ZC" else []
        return found

    def bears(text: str, accepted: list[str]) -> bool:
        passage = words(text)
        return any(
            passage[i : i + len(answer)] == answer
            for answer in map(words, accepted)
            for i in range(len(passage) - len(answer) + 1)
        )

    frame = score_answers(run, answers, texts.get)
    for qid in answers:
        marks = [bears(texts[hit.docid], answers[qid]) for hit in run[qid]]
        assert frame.loc[qid, "in_list"] == any(marks)
        for k in range(5, 51, 5):
            assert frame.loc[qid, f"H@{k}"] == (1.0 if True in marks[:k] else 0.0)
            assert frame.loc[qid, f"R@{k}"] == (marks[:k].count(True) / marks.count(True) if True in marks else 0.0)
    assert 0 < frame["in_list"].mean() < 1


def test_a_passage_without_text_and_an_empty_answer_are_refused():
    with pytest.raises(QPeftError, match="no document a"):
        score_answers(run_of(q="a"), {"q": ["x"]}, {}.get)
    with pytest.raises(QPeftError, match="query q has an answer without"):
        score_answers(run_of(q="a"), {"q": ["x", " "]}, {"a": "x"}.get)
