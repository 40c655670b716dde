"""`qpeft rerank`: scores, texts, fusion, and what it shows."""

import gzip
import os
import subprocess
import sys

import pytest


def test_the_likelihoods_are_the_rerankers_own(qpeft, arguments, written, lists, model, run_file, beir):
    from pyserini_qpeft import QPeftReranker
    from pyserini_qpeft.data.corpus import Corpus
    from pyserini_qpeft.data.topics import read_topics

    assert qpeft(*arguments()).code == 0
    reranker = QPeftReranker.from_pretrained(model[1], dtype="float32", device="cpu")
    corpus, topics = Corpus.open(beir), read_topics(beir / "queries.jsonl.gz")
    for qid, hits in lists(written).items():
        docids = [docid for docid, _ in hits]
        assert sorted(docids) == sorted(docid for docid, _ in lists(run_file)[qid])
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        own = reranker.score(topics[qid], [corpus[docid] for docid in docids])
        assert [score for _, score in hits] == pytest.approx(own.tolist(), abs=1e-5)


def test_text_from_the_corpus_and_from_the_index_give_equal_scores(qpeft, arguments, written, index, scores):
    assert qpeft(*arguments()).code == 0
    from_corpus = scores(written)
    assert qpeft(*arguments(corpus=None, index=index)).code == 0
    assert scores(written) == pytest.approx(from_corpus, abs=1e-5)


@pytest.mark.parametrize("collection", ["nfcorpus", "scifact"])
def test_text_from_the_corpus_and_from_the_index_are_equal_on_real_collections(
    qpeft, arguments, written, shared, shared_index, tmp_path, scores, collection
):
    folder = shared / "data" / collection
    index, run, topics = shared_index(collection), tmp_path / "bm25", tmp_path / "topics.jsonl"
    queries = gzip.decompress((folder / "queries.jsonl.gz").read_bytes()).decode().splitlines()
    topics.write_text("\n".join(queries[-4:]))
    search = ["--index", index, "--topics", topics, "--hits", "100", "--first-stage-only", "--quiet", "--output", run]
    assert qpeft("search", *search).code == 0
    found = []
    for source in ({"corpus": folder}, {"corpus": None, "index": index}):
        assert qpeft(*arguments(run=run, topics=folder / "queries.jsonl.gz", passage_tokens="64", **source)).code == 0
        found.append(scores(written))
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert found[0].keys() == scores(run).keys() != set()


def test_with_a_corpus_no_java_is_started(arguments, written):
    program = (
        "import sys\nfrom pyserini_qpeft.cli.__main__ import main\ncode = main(sys.argv[1:])\n"
        "print(sorted({'jnius', 'jnius_config', 'pyserini'} & set(sys.modules)))\nsys.exit(code)"
    )
    command = [sys.executable, "-c", program, *map(str, arguments())]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": "", "JAVA_HOME": ""})
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert written.exists()


def test_the_last_line_counts_passages_cuts_and_time(qpeft, arguments, run_file):
    last_line = qpeft(*arguments(passage_tokens="5")).err.splitlines()[-1]
    hits = len(run_file.read_text().splitlines())
    assert f"3 queries, {hits} passages, {hits} of them cut to the passage limit" in last_line
    assert last_line.endswith("passages/s")


def test_progress_is_shown_unless_quiet(qpeft, arguments):
    assert "passages/s]" in qpeft(*(part for part in arguments() if part != "--quiet")).err
    assert "passages/s]" not in qpeft(*arguments()).err


def test_fusion_mixes_in_the_first_stage_and_is_the_default(qpeft, arguments, written, lists, run_file, model):
    import numpy as np

    from pyserini_qpeft.models.registry import fusion_weight
    from pyserini_qpeft.reranking.fusion import FusionConfig, fuse

    assert qpeft(*arguments()).code == 0
    likelihood = {qid: dict(hits) for qid, hits in lists(written).items()}
    for options in ([], ["--fusion"], ["--fusion", "minmax", "--fusion-weight", "0.7"], ["--fusion", "rrf"]):
        assert qpeft(*arguments(fusion=None), *options).code == 0
        weight = float(options[3]) if len(options) == 4 else fusion_weight(model[1])
        config = FusionConfig(options[1] if len(options) > 1 else "zscore", weight)
        for qid, hits in lists(run_file).items():
            scores = fuse([score for _, score in hits], [likelihood[qid][docid] for docid, _ in hits], config)
            order = [hits[place][0] for place in np.argsort(-scores, kind="stable")]
            assert [docid for docid, _ in lists(written)[qid]] == order


def test_what_the_user_gave_is_not_changed(qpeft, arguments, run_file, beir):
    given = {file: file.read_bytes() for file in (run_file, *beir.iterdir())}
    assert qpeft(*arguments()).code == 0
    assert {file: file.read_bytes() for file in (run_file, *beir.iterdir())} == given


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--output", ""], "cannot write .: it is a folder, name a file in it."),
        (["--output", "{folder}"], "cannot write {folder}: it is a folder, name a file in it."),
        (["--seconds"], "--seconds has no effect on a run in the format trec: add --output-format jsonl."),
        (["--workers", "2"], "--workers has no effect on one machine: add --engine ray."),
        (["--ray-address", "auto"], "--ray-address has no effect on one machine: add --engine ray."),
        (["--engine", "ray", "--workers", "0"], "--workers must be 1 or more, and is 0."),
        (["--index", "any"], "argument --index: not allowed with argument --corpus (see qpeft rerank --help)."),
    ],
)
def test_options_that_would_have_no_effect_or_fail_late_are_refused(error_of, arguments, tmp_path, options, sentence):
    given = [word.format(folder=tmp_path) for word in options]
    assert error_of(*arguments(), *given) == sentence.format(folder=tmp_path)
