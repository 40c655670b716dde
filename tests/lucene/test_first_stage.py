import tempfile

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import build_index
from pyserini_qpeft.lucene.first_stage import search


@pytest.fixture
def fruit(corpus, tmp_path) -> list[str]:
    """The options that name an index of three documents, one of them in two passages."""
    file = corpus(
        ("a#0", "", "apples and pears and apples"), ("a#1", "", "apples"), ("b#0", "", "pears"), ("7", "", "plums")
    )
    build_index(file, tmp_path / "index")
    return ["--index", str(tmp_path / "index")]


def test_the_list_is_pyserinis(cacm_index):
    hits = search(["--index", str(cacm_index), "--hits", "10"], {"q": "information retrieval"})["q"]
    assert (hits[0].docid, round(hits[0].score, 5)) == ("CACM-3134", 4.7655)
    assert (hits[9].docid, round(hits[9].score, 5)) == ("CACM-2516", 4.2174)


def test_pyserinis_expansion_models_work(cacm_index):
    topics = {"q": "information retrieval"}
    plain, rm3 = (search(["--index", str(cacm_index), *more], topics)["q"] for more in ([], ["--rm3"]))
    assert len(rm3) > len(plain)


def test_every_topic_has_an_entry_in_order_and_ids_stay_strings(fruit):
    run = search(fruit, {"10": "pears", "9": "nothing of the kind", "é": "plums", "": "apples", "2": ""})
    assert list(run) == ["10", "9", "é", "", "2"]
    assert [len(hits) for hits in run.values()] == [2, 0, 1, 2, 0]


def test_a_search_writes_no_file_that_a_killed_process_would_leave_behind(fruit, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "does-not-exist"))
    assert [hit.docid for hit in search(fruit, {"q": "plums"})["q"]] == ["7"]


def test_several_at_a_time_find_the_same(fruit):
    topics = {str(place): query for place, query in enumerate(["apples", "pears", "plums", "apples pears", "kiwi"])}
    assert search([*fruit, "--batch-size", "2", "--threads", "2"], topics) == search(fruit, topics)


def test_max_passage_returns_the_document_with_the_text_of_its_best_passage(fruit):
    hits = search([*fruit, "--max-passage"], {"q": "pears"})["q"]
    assert [(hit.docid, hit.text) for hit in hits] == [("b", "pears"), ("a", "apples and pears and apples")]


def test_the_querys_own_document_can_be_left_out(fruit):
    assert search(fruit, {"7": "plums"})["7"] != []
    assert search([*fruit, "--remove-query"], {"7": "plums"})["7"] == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--k1", "0.9"], "Must set .both. k1 and b"),
        (["--k1", "zero"], "argument --k1: invalid float value"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--dense"], "must set either --hnsw or --flat"),
        (["--index", "no-such-index"], "neither a folder nor a prebuilt index"),
    ],
)
def test_wrong_options_are_one_sentence(fruit, options, complaint, capfd):
    with pytest.raises(QPeftError, match=complaint):
        search([*fruit, *options], {"q": "pears"})
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(("collection", "ndcg", "recall"), [("nfcorpus", 0.3218, 0.2457), ("scifact", 0.6789, 0.9253)])
def test_bm25_is_what_pyserini_publishes(shared, shared_index, collection, ndcg, recall):
    import ir_measures

    from pyserini_qpeft.data.qrels import read_qrels
    from pyserini_qpeft.data.topics import read_topics

    folder = shared / "data" / collection
    qrels = read_qrels(folder / "qrels" / "test.tsv")
    topics = {qid: query for qid, query in read_topics(folder / "queries.jsonl.gz").items() if qid in qrels}
    run = search(["--index", str(shared_index(collection)), "--hits", "100", "--remove-query"], topics)
    measures = [ir_measures.nDCG @ 10, ir_measures.R @ 100]
    scores = {qid: {hit.docid: hit.score for hit in hits} for qid, hits in run.items()}
    found = ir_measures.calc_aggregate(measures, qrels, scores)
    assert [round(found[measure], 4) for measure in measures] == [ndcg, recall]
