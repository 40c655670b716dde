"""Everyone scores the same texts, and they are like NFCorpus whether it is there or not."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from benchmarks import texts
from benchmarks.texts import TextSet, Topic, cut_texts, generated
from pyserini_qpeft.models.loading import SHIPPED_MODEL

TOKENIZER = AutoTokenizer.from_pretrained(SHIPPED_MODEL)


def lengths(passages: list[str]) -> list[int]:
    return [len(ids) for ids in TOKENIZER(passages, add_special_tokens=False, verbose=False)["input_ids"]]


@pytest.fixture(scope="module")
def made() -> TextSet:
    return generated(TOKENIZER, passage_tokens=10_000, queries=20)


def test_generated_passages_have_the_lengths_of_nfcorpus(made: TextSet) -> None:
    found = np.quantile(lengths(made.passages), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, [215, 392, 554], rtol=0.15)
    assert np.median(lengths([topic.query for topic in made.topics])) < 12


def test_generated_queries_share_passages_and_words(made: TextSet) -> None:
    assert len(made.passages) < sum(len(topic.passages) for topic in made.topics) / 5
    assert all(topic.query.split()[0] in topic.passages[0].lower() for topic in made.topics)


def test_generated_texts_are_the_same_every_time(made: TextSet) -> None:
    assert generated(TOKENIZER, passage_tokens=10_000, queries=20) == made


def test_passages_are_cut_to_the_tokens_that_all_read() -> None:
    long = "Statin drugs and breast cancer survival. " * 30
    cut = cut_texts([long, "short"], TOKENIZER, 50)
    assert lengths(cut) == [50, len(TOKENIZER("short", add_special_tokens=False)["input_ids"])]
    assert long.startswith(cut[0])


@pytest.mark.parametrize("count", [1, 7, 64, 250, 900])
def test_as_many_pairs_as_asked_for_stand_query_after_query(count: int, made: TextSet) -> None:
    pairs = made.pairs(count)
    assert len(set(pairs)) == count
    queries = [query for query, _ in pairs]
    assert len([1 for one, next_one in pairwise(queries) if one != next_one]) == len(set(queries)) - 1


def test_a_sample_of_pairs_meets_passages_as_often_as_the_whole_list(made: TextSet) -> None:
    whole = sum(len(topic.passages) for topic in made.topics) / len(made.passages)
    pairs = made.pairs(400)
    assert 400 / len({passage for _, passage in pairs}) == pytest.approx(whole, rel=0.25)


def test_lists_are_filled_with_passages_that_nobody_found() -> None:
    collection = tuple(f"passage {place}" for place in range(150))
    texts = TextSet((Topic("full", collection[:100]), Topic("none", ()), Topic("few", collection[3:9])), collection, "")
    full, none, few = texts.filled()
    assert full.passages == collection[:100]
    assert none.passages == collection[:100]
    assert few.passages[:6] == collection[3:9]
    assert few.passages[6] == collection[100]
    assert len(set(few.passages)) == 100


def test_with_too_few_texts_all_are_taken() -> None:
    few = TextSet((Topic("a query", ("one", "two")), Topic("another", ("one",))), ("one", "two"), "by hand")
    assert few.pairs(50) == [("a query", "one"), ("a query", "two"), ("another", "one")]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection in the BEIR layout with one test query and one train query."""
    folder = tmp_path / "nfcorpus"
    (folder / "qrels").mkdir(parents=True)
    bodies = {"d1": "statin drugs " * 30, "d2": "statin once, and then much about breast cancer", "d3": "kiln"}
    documents = [{"_id": docid, "title": "A study", "text": body} for docid, body in bodies.items()]
    queries = [{"_id": "q1", "text": "statin drugs"}, {"_id": "q2", "text": "kiln"}]
    for name, rows in {"corpus": documents, "queries": queries}.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


def test_nfcorpus_comes_from_bm25_once(collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = texts.nfcorpus(collection, tmp_path / "cache", TOKENIZER, 40)
    (topic,) = found.topics
    assert topic.query == "statin drugs"
    assert [passage.split()[2] for passage in topic.passages] == ["statin", "statin"]
    assert lengths([topic.passages[0]]) == [40]
    monkeypatch.setattr(texts, "in_own_process", lambda *_: pytest.fail("BM25 was asked again"))
    assert texts.nfcorpus(collection, tmp_path / "cache", TOKENIZER, 40) == found
