import gzip
import json
import shutil

import pytest
from tiny_encoder import save_tiny_encoder

from pyserini_qpeft.cli.__main__ import main


def prefixed(model):
    """The options of a model as `search` spells them."""
    return [option.replace("--", "--qpeft.") for option in model]


@pytest.fixture
def query(tmp_path):
    """Writes topics of one query."""

    def write(text: str):
        file = tmp_path / "topics.tsv"
        file.write_text(f"1\t{text}\n")
        return file

    return write


def test_on_an_index_made_elsewhere_the_first_stage_is_pyserinis(qpeft, cacm_index, query, tmp_path, lists):
    topics = query("information retrieval")
    where = ["--index", cacm_index, "--topics", topics, "--hits", "10", "--output", tmp_path / "run"]
    done = qpeft("search", *where, "--first-stage-only")
    assert (done.code, done.out) == (0, "")
    hits = lists(tmp_path / "run")["1"]
    assert (hits[0][0], f"{hits[0][1]:.5f}") == ("CACM-3134", "4.76550")
    assert (hits[9][0], f"{hits[9][1]:.5f}") == ("CACM-2516", "4.21740")


def test_a_search_that_finds_nothing_at_all_says_so_and_writes_nothing(qpeft, cacm_index, query, tmp_path):
    where = ["--index", cacm_index, "--topics", query("zzyzx"), "--output", tmp_path / "run"]
    done = qpeft("search", *where, "--first-stage-only", "--quiet")
    assert done.code == 2
    assert "no document was found for 1 query in" in done.err
    assert not (tmp_path / "run").exists()


def test_the_queries_of_a_split_of_a_beir_folder_are_searched(qpeft, error_of, beir, index, tmp_path, lists):
    folder = shutil.copytree(beir, tmp_path / "beir")
    (folder / "qrels").mkdir()
    for split, qid in (("test", "q1"), ("dev", "q4"), ("none", "q9")):
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qid}\triver\t1\n")
    search = ["search", "--index", index, "--topics", folder, "--first-stage-only", "--output", tmp_path / "run"]
    for options, qid in (([], "q1"), (["--split", "dev"], "q4")):
        assert qpeft(*search, *options).code == 0
        assert list(lists(tmp_path / "run")) == [qid]
    again = ["--topics", folder, "--corpus", beir, "--depth", 0, "--output", tmp_path / "again"]
    assert qpeft("rerank", "--run", tmp_path / "run", *again).code == 0  # a query of any split
    assert "no qrels/train.tsv" in error_of(*search, "--split", "train")
    assert "has none of the queries of" in error_of(*search, "--split", "none")
    assert "holds no queries.jsonl" in error_of(*search[:4], index, *search[5:])
    assert "the format of a file" in error_of(*search, "--topics-format", "kilt")


def test_a_split_of_something_that_has_no_splits_is_refused(error_of, query, run_file, beir, tmp_path):
    refused = "--split chooses among the splits of a BEIR folder, and {} is no folder: leave it out."
    search = ["search", "--index", "absent", "--split", "dev", "--output", tmp_path / "run"]
    assert error_of(*search, "--topics", query("a")) == refused.format(query("a"))
    assert error_of(*search, "--topics", "dl19-passage") == refused.format("dl19-passage")
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("q1 0 river 1\n")
    judged = ["--qrels", qrels, "--split", "test"]
    assert error_of("evaluate", run_file, *judged) == refused.format(qrels)
    assert error_of("tune", "--run", run_file, "--output", tmp_path / "tuned", *judged) == refused.format(qrels)


def test_a_number_of_hits_below_one_is_refused(error_of, query, tmp_path):
    where = ["--index", "absent", "--topics", query("a"), "--output", tmp_path / "run"]
    assert error_of("search", *where, "--hits", "-1") == "--hits must be 1 or more, and is -1."


def test_a_reranker_without_effect_leaves_pyserinis_list(qpeft, cacm_index, query, model, tmp_path, lists):
    where = ["search", "--index", cacm_index, "--topics", query("information retrieval"), "--hits", "10"]
    own = [*where, *prefixed(model), "--quiet"]
    assert qpeft(*where, "--output", tmp_path / "first", "--first-stage-only").code == 0
    assert qpeft(*own, "--output", tmp_path / "zero", "--qpeft.depth", "0").code == 0
    assert (tmp_path / "zero").read_bytes() == (tmp_path / "first").read_bytes()
    weightless = ["--qpeft.fusion", "--qpeft.fusion-weight", "0"]
    assert qpeft(*own, "--output", tmp_path / "fused", *weightless).code == 0
    first, fused = (lists(tmp_path / name)["1"] for name in ("first", "fused"))
    assert [docid for docid, _ in fused] == [docid for docid, _ in first]


def test_cacm_from_its_topics_to_a_reranked_run_of_texts_without_markup(qpeft, cacm_index, shared, model, tmp_path):
    topics = tmp_path / "queries.jsonl"
    lines = gzip.decompress((shared / "data" / "cacm" / "queries.jsonl.gz").read_bytes()).decode().splitlines()
    topics.write_text("\n".join(lines[:3]))
    where = ["--index", cacm_index, "--topics", topics, "--hits", "8", "--output", tmp_path / "run.json"]
    assert qpeft("search", *where, *prefixed(model), "--output-format", "json", "--quiet").code == 0
    written = [json.loads(line) for line in (tmp_path / "run.json").read_text().splitlines()]
    assert [record["qid"] for record in written] == [json.loads(line)["_id"] for line in lines[:3]]
    for record in written:
        hits = record["hits"]
        assert sorted(hit["first_stage_rank"] for hit in hits) == list(range(1, 9))
        assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
        assert all(hit["text"] and "<" not in hit["text"][:5] for hit in hits)


def test_search_in_one_go_equals_search_and_then_rerank(qpeft, beir, index, run_file, model, tmp_path, lists, scores):
    topics = beir / "queries.jsonl.gz"
    search = ["search", "--index", index, "--topics", topics, "--output", tmp_path / "one", "--quiet"]
    assert qpeft(*search, *prefixed(model)).code == 0
    rerank = ["rerank", "--run", run_file, "--topics", topics, "--corpus", beir, "--output", tmp_path / "two"]
    assert qpeft(*rerank, *model, "--quiet").code == 0
    assert scores(tmp_path / "one") == pytest.approx(scores(tmp_path / "two"), abs=1e-5)
    assert lists(tmp_path / "one").keys() == {"q1", "2", "q4"}  # nothing is found for the zebra


def test_pyserinis_options_mean_what_they_mean_to_pyserini(qpeft, beir, index, tmp_path, lists):
    where = ["search", "--index", index, "--topics", beir / "queries.jsonl.gz", "--first-stage-only", "--quiet"]
    runs = {}
    for name, options in {
        "plain": [],
        "bm25": ["--k1", "2", "--b", "0.9"],
        "qld": ["--qld"],
        "two": ["--hits", "2"],
    }.items():
        assert qpeft(*where, "--output", tmp_path / name, *options).code == 0
        runs[name] = lists(tmp_path / name)
    assert runs["plain"]["q1"] != runs["bm25"]["q1"] != runs["qld"]["q1"]
    assert runs["two"]["q1"] == runs["plain"]["q1"][:2]


def test_the_first_stage_as_json_brings_texts_and_as_ms_marco_ranks(qpeft, beir, index, tmp_path):
    where = ["search", "--index", index, "--topics", beir / "queries.jsonl.gz", "--first-stage-only", "--quiet"]
    assert qpeft(*where, "--output", tmp_path / "json", "--output-format", "json").code == 0
    first = json.loads((tmp_path / "json").read_text().splitlines()[1])
    assert first["hits"][0]["text"].startswith("Aaron\nAaron is a prophet")
    assert qpeft(*where, "--output", tmp_path / "msmarco", "--output-format", "msmarco").code == 0
    assert "2\tpriest\t1\n" in (tmp_path / "msmarco").read_text()


def test_texts_of_an_index_without_them_come_from_the_corpus(qpeft, error_of, beir, model, tmp_path):
    from pyserini.index.lucene import LuceneIndexer

    from pyserini_qpeft.data.corpus import Corpus

    indexer = LuceneIndexer(args=["-index", str(tmp_path / "bare")], threads=1)
    for docid, text in Corpus.open(beir).items():
        indexer.add_doc_dict({"id": docid, "contents": text})
    indexer.close()
    search = ["search", "--index", tmp_path / "bare", "--topics", beir / "queries.jsonl.gz", "--quiet"]
    search += ["--output", tmp_path / "run", *prefixed(model)]
    assert "stores no text" in error_of(*search)
    assert not (tmp_path / "run").exists()
    assert qpeft(*search, "--corpus", beir).code == 0
    assert "priest" in (tmp_path / "run").read_text()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"--index": "no-such-index"}, "no-such-index is neither a folder nor a prebuilt index that Pyserini knows."),
        ({"--topics": "no-such-topics"}, "the topics no-such-topics are neither a file nor a name"),
        ({"--output": "no/such/folder/run"}, "the folder no/such/folder does not exist"),
        ({"--hits": "many"}, "argument --hits: invalid int value: 'many'"),
        ({"--k1": "0.9"}, "Must set *both* k1 and b for BM25!"),
        ({"--no-such-option": "1"}, "unrecognized arguments: --no-such-option 1"),
        ({"--qpeft.model": "no/such/model"}, "'no/such/model'"),
        ({"--device": "abacus"}, "unknown or absent device 'abacus'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_file(error_of, beir, index, model, tmp_path, wrong, sentence):
    options = {"--index": index, "--topics": beir / "queries.jsonl.gz", "--output": tmp_path / "run", "--hits": 5}
    options |= dict(zip(prefixed(model)[::2], model[1::2], strict=True)) | wrong
    assert sentence in error_of("search", *(part for pair in options.items() for part in pair), "--quiet")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def dense(beir, tmp_path_factory):
    """A Faiss index of the small collection, and its encoder."""
    encoder = save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny-bert")
    folder = tmp_path_factory.mktemp("dense") / "index"
    words = ["index", "--dense", "--corpus", beir, "--index", folder, "--encoder", encoder, "--quiet"]
    assert main([str(word) for word in words]) == 0
    return folder


def test_a_dense_search_reranks_texts_from_a_corpus_or_a_lucene_index(
    qpeft, error_of, beir, index, dense, model, tmp_path, scores
):
    search = ["search", "--index", dense, "--topics", beir / "queries.jsonl.gz", "--hits", "3", "--quiet"]
    assert "stores no text: give the texts with --corpus" in error_of(*search, "--output", tmp_path / "run")
    own = [*search, *prefixed(model)]
    assert qpeft(*own, "--output", tmp_path / "corpus", "--corpus", beir).code == 0
    assert qpeft(*own, "--output", tmp_path / "stored", "--sparse-index", index).code == 0
    assert scores(tmp_path / "corpus") == pytest.approx(scores(tmp_path / "stored"), abs=1e-5)
    assert qpeft(*search, "--output", tmp_path / "first", "--first-stage-only").code == 0
    first = tmp_path / "first"
    assert scores(first).keys() == scores(tmp_path / "corpus").keys()
    rerank = ["rerank", "--run", first, "--topics", beir / "queries.jsonl.gz", "--corpus", beir, *model, "--quiet"]
    assert qpeft(*rerank, "--output", tmp_path / "later").code == 0
    assert scores(tmp_path / "later") == pytest.approx(scores(tmp_path / "corpus"), abs=1e-4)


def test_a_command_of_pyserinis_hybrid_program_stays_as_it_is(qpeft, beir, index, dense, model, tmp_path, lists):
    topics, halves = beir / "queries.jsonl.gz", ["dense", "--index", dense, "sparse", "--index", index]
    run = ["run", "--topics", topics, "--hits", "3", "--output"]
    pyserinis = ["search", "hybrid", *halves, "fusion", "--alpha", "0.5", *run, tmp_path / "first"]
    assert qpeft(*pyserinis, "--first-stage-only", "--quiet").code == 0
    own = ["search", "hybrid", "--topics", topics, "--hits", "3", "--output", tmp_path / "reranked", "--quiet"]
    assert qpeft(*own, *prefixed(model), *halves, "fusion", "--alpha", "0.5").code == 0
    first, reranked = lists(tmp_path / "first"), lists(tmp_path / "reranked")
    assert {q: {docid for docid, _ in hits} for q, hits in first.items()} == {
        q: {docid for docid, _ in hits} for q, hits in reranked.items()
    }
    assert all(len(hits) == 3 for hits in first.values())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["faiss"], "the following arguments are required: --index"),
        (["hybrid", "dense", "--index", "x"], "needs the sections dense and sparse, each with an --index: sparse is"),
        (["hybrid", "--index", "x", "dense", "--index", "x", "sparse", "--index", "x"], "and no other"),
        (["faiss", "--index", "no-such-index"], "no-such-index is neither a folder nor a prebuilt Faiss index"),
    ],
)
def test_mistakes_in_a_dense_or_hybrid_search(error_of, beir, tmp_path, words, sentence):
    rest = ["--topics", beir / "queries.jsonl.gz", "--output", tmp_path / "run", "--quiet"]
    at = next((place for place, word in enumerate(words) if word == "dense"), len(words))
    assert sentence in error_of("search", *words[:at], *rest, *words[at:])


def test_a_search_never_writes_over_an_index_that_one_of_its_sections_names(error_of, beir, dense, index, tmp_path):
    halves = ["dense", "--index", dense, "sparse", "--index", index]
    where = ["--topics", beir / "queries.jsonl.gz", "--output", dense / "docid"]
    before = (dense / "docid").read_bytes()
    error_of("search", "hybrid", *where, "--first-stage-only", *halves)
    assert (dense / "docid").read_bytes() == before
