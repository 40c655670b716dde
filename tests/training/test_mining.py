"""Hard negatives are hits of the first stage that nobody knows to be an answer."""

import json
from pathlib import Path

import pytest

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.mining import Miner, MiningConfig

DOCUMENTS = {
    "d1": ("Nile", "the river of egypt"),
    "d2": ("", "paris is the capital of france"),
    "d3": ("Nile", "the river of egypt"),
    "d4": ("Seine", "the river of paris"),
    "d5": ("", "which river is in egypt"),
    "q1": ("", "the query as a document"),
    "d6": ("Amazon", "a river too"),
}
RUN = ["d2", "d1", "q1", "d3", "d5", "d4", "d6"]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    corpus = [json.dumps({"_id": docid, "title": t, "text": text}) for docid, (t, text) in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(corpus))
    queries = {"q1": "which river is in egypt", "q2": "nothing judged relevant", "q3": "not judged"}
    (folder / "queries.jsonl").write_text("\n".join(json.dumps({"_id": q, "text": t}) for q, t in queries.items()))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td4\t0\nq2\td2\t0\n")
    (tmp_path / "run.trec").write_text("\n".join(f"q1 Q0 {d} {n} {20 - n} bm25" for n, d in enumerate(RUN, 1)))
    return folder


def mine(collection: Path, *options: str) -> int:
    output = collection.parent / "train.json"
    output.unlink(missing_ok=True)
    return main(["mine", "--collection", str(collection), "--output", str(output), *options])


def mined(collection: Path, *options: str) -> list[str]:
    assert mine(collection, "--run", str(collection.parent / "run.trec"), *options) == 0
    examples, _ = read_examples([collection.parent / "train.json"])
    assert [example.qid for example in examples] == ["q1"]
    assert [(p.docid, p.score) for p in examples[0].positives] == [("d1", 18.0)]
    return [passage.docid for passage in examples[0].negatives]


def test_known_positives_their_copies_and_the_querys_own_text_are_no_negatives(collection: Path) -> None:
    assert mined(collection, "--choice", "first") == ["d2", "d4", "d6"]


def test_negatives_come_from_the_hits_that_are_not_skipped(collection: Path) -> None:
    assert mined(collection, "--choice", "first", "--skip", "1") == ["d4", "d6"]
    assert mined(collection, "--choice", "first", "--top-n", "6") == ["d2", "d4"]
    assert mined(collection, "--choice", "first", "--negatives", "1") == ["d2"]


def test_the_seed_draws_from_these_hits(collection: Path) -> None:
    drawn = {tuple(mined(collection, "--negatives", "1", "--seed", str(seed))) for seed in range(12)}
    assert drawn == {("d2",), ("d4",), ("d6",)}
    assert mined(collection, "--negatives", "2", "--seed", "4") == mined(collection, "--negatives", "2", "--seed", "4")


def test_what_was_left_out_is_counted(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mined(collection)
    assert "1 query, 3 hard negatives; 1 query left out because no positive is in the corpus" in capsys.readouterr().err


def test_an_index_gives_the_hits_of_bm25(collection: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyserini")
    from pyserini_qpeft.lucene import build_index
    from pyserini_qpeft.lucene.java import find_java

    try:
        find_java()
    except QPeftError as error:
        pytest.skip(str(error))
    build_index(collection, tmp_path / "index")
    assert mine(collection, "--index", str(tmp_path / "index"), "--choice", "first") == 0
    examples, _ = read_examples([tmp_path / "train.json"])
    assert {passage.docid for passage in examples[0].negatives} <= {"d2", "d4", "d6"}
    assert examples[0].positives[0].score is not None
    scores = [passage.score for passage in examples[0].negatives]
    assert scores == sorted(scores, reverse=True)


def test_mistakes_are_one_sentence(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(collection.parent / "run.trec")
    assert mine(collection, "--run", run, "--split", "dev") == 2
    assert "has no qrels/dev.tsv: its splits are train" in capsys.readouterr().err
    assert mine(collection, "--run", run, "--skip", "50") == 2
    assert "skip must be below top_n, and they are 50 and 50" in capsys.readouterr().err
    for option, value, sentence in (
        ("--max-queries", "0", "max_queries must be at least 1, not 0."),
        ("--seed", "-1", "seed must not be negative, and is -1."),
    ):
        assert mine(collection, "--run", run, option, value) == 2
        assert sentence in capsys.readouterr().err
    assert mine(collection.parent, "--run", run) == 2
    mined(collection)
    assert (
        main(["mine", "--collection", str(collection), "--run", run, "--output", str(collection.parent / "train.json")])
        == 2
    )
    assert "exists already" in capsys.readouterr().err
    (collection / "queries.jsonl").write_text('{"_id": "z", "text": "z"}')
    with pytest.raises(QPeftError, match="no query of qrels"):
        Miner(collection, "train", MiningConfig())
