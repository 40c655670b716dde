"""The readers on real collections: counts as their README documents them."""

import pytest

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_answers, read_topics

COLLECTIONS = {  # documents, judged queries of each split
    "nfcorpus": (3_633, {"train": 2_590, "dev": 324, "test": 323}),
    "scifact": (5_183, {"train": 809, "test": 300}),
    "trec-dl-2020-hits": (15_495, {"test": 54}),
    "trec-dl-2021-hits": (10_553, {"test": 53}),
    "squad-v1.1-dev": (2_067, {"train": 5_574, "dev": 1_274, "test": 3_722}),
    "squad-v1.1-train-sample": (800, {"train": 3_997}),
    "squad-sentences-du-test": (6_652, {"train": 11_877}),
    "nq-open-oracle": (2_588, {"train": 1_018, "dev": 249, "test": 1_388}),
    "wikiqa": (11_406, {"train": 873, "dev": 126, "test": 243}),
    "medquad": (15_809, {"train": 16_407}),
    "pubmedqa-l": (1_000, {"train": 500, "test": 500}),
    "cacm": (3_204, {"test": 52}),
    "cisi": (1_460, {"test": 76}),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collection_has_the_documented_counts(shared, name):
    folder = shared / "data" / name
    documents, splits = COLLECTIONS[name]

    corpus = Corpus.open(folder)
    topics = read_topics(folder / "queries.jsonl.gz")
    qrels = {split: read_qrels(folder / "qrels" / f"{split}.tsv") for split in splits}

    assert len(corpus) == documents
    assert {split: len(judged) for split, judged in qrels.items()} == splits
    for judged in qrels.values():
        assert judged.keys() <= topics.keys()


@pytest.mark.parametrize("name", ["squad-v1.1-dev", "nq-open-oracle"])
def test_every_query_of_a_question_answering_collection_has_answers(shared, name):
    queries = shared / "data" / name / "queries.jsonl.gz"

    assert read_answers(queries).keys() == read_topics(queries).keys()


@pytest.mark.parametrize("year", [2020, 2021])
def test_stored_runs_are_whole_and_their_corpus_has_every_hit(shared, year):
    folder = shared / "data" / f"trec-dl-{year}-hits"
    runs = {path.stem: read_run(path) for path in (folder / "runs").glob("*.trec")}
    hits = {hit.docid for run in runs.values() for listed in run.values() for hit in listed}

    assert {"BM25", "BM25_RM3", "SPLADE_P_P_ENSEMBLE_DISTIL"} <= runs.keys()
    for run in runs.values():
        assert set(map(len, run.values())) == {100}
        assert run.keys() == read_qrels(folder / "qrels" / "test.tsv").keys()
    assert Corpus.open(folder, docids=hits).keys() == hits


def test_the_stored_bm25_run_scores_as_documented(shared):
    import ir_measures

    folder = shared / "data" / "trec-dl-2020-hits"
    run = {qid: {hit.docid: hit.score for hit in hits} for qid, hits in read_run(folder / "runs" / "BM25.trec").items()}

    measured = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], read_qrels(folder / "qrels" / "test.tsv"), run)

    assert round(measured[ir_measures.nDCG @ 10], 4) == 0.4796
