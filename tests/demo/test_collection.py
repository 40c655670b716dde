"""The questions and judgements fit the documentation, and make a BEIR folder that the readers take."""

from pathlib import Path

import pytest

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.demo.collection import QUESTIONS, DemoCollection, questions_about, write_collection
from pyserini_qpeft.errors import QPeftError


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> DemoCollection:
    return write_collection(tmp_path_factory.mktemp("demo") / "collection")


def test_every_judged_name_exists_in_this_python(collection: DemoCollection) -> None:
    assert collection.missing == (), f"judged but not documented in this Python: {', '.join(collection.missing)}"


def test_every_question_has_an_answer(collection: DemoCollection) -> None:
    for qid, question in collection.topics.items():
        assert 2 in collection.qrels[qid].values(), question
        assert set(collection.qrels[qid].values()) <= {1, 2}, question


def test_there_are_many_questions_all_different_and_all_judged() -> None:
    topics = read_topics(QUESTIONS / "queries.jsonl")
    qrels = read_qrels(QUESTIONS / "qrels.tsv")
    assert len(topics) >= 70
    assert len({question.casefold() for question in topics.values()}) == len(topics)
    assert list(qrels) == list(topics)


def test_questions_do_not_name_their_answers() -> None:
    topics = read_topics(QUESTIONS / "queries.jsonl")
    for qid, grades in read_qrels(QUESTIONS / "qrels.tsv").items():
        assert not [name for name in grades if "." in name and name in topics[qid]]


def test_the_folder_is_a_beir_collection(collection: DemoCollection) -> None:
    corpus = Corpus.open(collection.folder)
    assert len(corpus) == collection.documents
    assert corpus["os.path.splitext"].startswith("os.path.splitext(p)\nSplit the extension from a pathname.")
    assert read_topics(collection.folder / "queries.jsonl") == collection.topics
    assert read_qrels(collection.folder / "qrels" / "test.tsv") == collection.qrels


def test_the_fingerprint_is_the_corpus_alone(collection: DemoCollection, tmp_path: Path) -> None:
    fewer = write_collection(tmp_path / "fewer", questions=3)
    assert list(fewer.topics) == list(collection.topics)[:3]
    assert fewer.fingerprint == collection.fingerprint


def test_the_questions_that_are_named_come_first() -> None:
    names = {"os.path.splitext", "str.strip", "time.sleep"}
    topics, qrels, _ = questions_about(names, questions=3, first=["q151", "q002"])
    assert list(topics) == list(qrels) == ["q151", "q002", "q001"]
    assert topics["q151"] == "how do I wait for five seconds"


def test_names_that_a_python_lacks_are_left_out_and_counted() -> None:
    topics, qrels, missing = questions_about({"os.path.splitext", "time.sleep"}, questions=2)
    assert qrels == {"q001": {"os.path.splitext": 2}, "q003": {"time.sleep": 2}}  # q002 has no answer here
    assert list(topics) == list(qrels)
    assert "pathlib.PurePath.suffix" in missing
    assert "time.sleep" not in missing


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(QPeftError, match="taken"):
        write_collection(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
