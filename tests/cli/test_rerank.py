import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file


@pytest.fixture
def arguments(run_file, beir, model, tmp_path):
    """The command's usual options, some of them replaced or, with None, left out."""

    def build(**changes: object) -> list[object]:
        options: dict[str, object] = {
            "--run": run_file,
            "--topics": beir / "queries.jsonl.gz",
            "--corpus": beir,
            "--output": tmp_path / "out" / "run",
            "--fusion": "none",
        }
        (tmp_path / "out").mkdir(exist_ok=True)
        options |= dict(zip(model[::2], model[1::2], strict=True))
        options |= {"--" + name.replace("_", "-"): value for name, value in changes.items()}
        return ["rerank", "--quiet", *(part for pair in options.items() if pair[1] is not None for part in pair)]

    return build


@pytest.fixture
def written(tmp_path) -> Path:
    return tmp_path / "out" / "run"


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


def test_depth_rescores_the_head_and_keeps_or_drops_the_tail(qpeft, arguments, written, lists, run_file):
    first = lists(run_file)["q1"]
    assert len(first) == 3
    assert qpeft(*arguments(depth="2")).code == 0
    kept = lists(written)["q1"]
    assert {docid for docid, _ in kept[:2]} == {docid for docid, _ in first[:2]}
    assert kept[2][0] == first[2][0]
    assert kept[2][1] < kept[1][1]
    assert qpeft(*arguments(depth="2", below_depth="drop")).code == 0
    assert dict(lists(written)["q1"]) == pytest.approx(dict(kept[:2]), abs=1e-5)


def test_a_cascade_reranks_by_its_stages_and_counts_each(qpeft, arguments, written, model, lists):
    whole = {name: None for name in ("model", "fusion")}
    stages = f"{model[1]}@3:none,{model[1]}+none@2:none"
    done = qpeft(*arguments(**whole, cascade=stages, output_format="jsonl"))
    assert done.code == 0, done.err
    first, *counts = done.err.strip().splitlines()[-3:]
    assert "passages" in first
    assert [line.split(":")[0] for line in counts] == ["  stage 1", "  stage 2"]
    for record in map(json.loads, written.read_text().splitlines()):
        for hit in record["hits"]:
            before, after = hit["stages"]
            assert (before["likelihood"] is not None) == (hit["first_stage_rank"] <= 3)
            assert (after["likelihood"] is not None) == (before["rank"] <= 2)
            assert (after["rank"], after["score"]) == (hit["rank"], hit["score"])
    alone = written.with_name("alone")
    assert qpeft(*arguments(depth=3, output=alone)).code == 0
    assert qpeft(*arguments(**whole, cascade=f"{model[1]}@3:none", output=written.with_name("chain"))).code == 0
    assert lists(written.with_name("chain")) == lists(alone)


def test_a_cascade_that_cannot_be_is_refused(error_of, arguments, model):
    assert "depth is given with a cascade" in error_of(*arguments(model=None, cascade="tiny@3", depth=2))
    assert "model is given with a cascade" in error_of(*arguments(cascade="tiny@3"))
    assert "stage 2 of the cascade rescores 5 hits" in error_of(*arguments(model=None, cascade="tiny@3,tiny@5"))
    assert "adaptive cannot be used with a cascade" in error_of(*arguments(model=None, cascade="tiny@3"), "--adaptive")
    threshold = ("--minimum-probability", "0.5")
    assert "minimum-probability cannot be used" in error_of(*arguments(model=None, cascade="tiny@3"), *threshold)


def test_a_time_limit_keeps_every_hit(qpeft, arguments, written, lists, run_file):
    assert qpeft(*arguments(milliseconds=1)).code == 0
    found, given = lists(written), lists(run_file)
    assert {qid: sorted(docid for docid, _ in hits) for qid, hits in found.items()} == {
        qid: sorted(docid for docid, _ in hits) for qid, hits in given.items()
    }


def test_probable_hits_alone_are_kept_and_the_calibration_may_be_named(qpeft, error_of, arguments, written, tmp_path):
    (tmp_path / "curve.json").write_text('{"slope": 2.0, "intercept": 0.5}')
    named = arguments(output_format="jsonl", calibration=tmp_path / "curve.json")
    assert qpeft(*named).code == 0
    hits = {
        (record["qid"], hit["docid"]): hit["probability"]
        for record in map(json.loads, written.read_text().splitlines())
        for hit in record["hits"]
    }
    assert all(0 < probability < 1 for probability in hits.values())
    minimum = sorted(hits.values())[len(hits) // 2]
    assert qpeft(*named, "--minimum-probability", minimum).code == 0
    records = list(map(json.loads, written.read_text().splitlines()))
    kept = {(record["qid"], hit["docid"]) for record in records for hit in record["hits"]}
    assert kept == {key for key, probability in hits.items() if probability >= minimum - 1e-9}
    assert all([hit["rank"] for hit in one["hits"]] == list(range(1, len(one["hits"]) + 1)) for one in records)
    assert "needs a calibration" in error_of(*arguments(minimum_probability=0.5, output=written.with_name("none")))


def test_adaptive_depth_reads_less_and_keeps_every_hit(qpeft, error_of, arguments, written, lists, run_file, tmp_path):
    (tmp_path / "rule.json").write_text(
        '{"intercept": 0, "required": -1, "read": 0, "agreement": 0, "threshold": 9, "k": 1, "block": 1}'
    )
    done = qpeft(*arguments(adaptive=tmp_path / "rule.json"))
    assert done.code == 0, done.err
    queries = len(lists(run_file))
    assert f"{queries} queries, {queries} passages" in done.err
    found, given = lists(written), lists(run_file)
    assert {qid: sorted(docid for docid, _ in hits) for qid, hits in found.items()} == {
        qid: sorted(docid for docid, _ in hits) for qid, hits in given.items()
    }
    assert "none comes with this model: learn one" in error_of(
        *arguments(output=written.with_name("none")), "--adaptive"
    )
    assert "cannot be used with rrf" in error_of(*arguments(fusion="rrf"), "--adaptive")


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


def test_json_has_texts_and_both_scores(qpeft, arguments, written, run_file, lists):
    assert qpeft(*arguments(output_format="jsonl", depth="2")).code == 0
    record = json.loads(written.read_text().splitlines()[0])
    assert (record["qid"], record["query"]) == ("q1", "which river flows through the capital")
    assert all(hit["text"] and hit["likelihood"] < 0 for hit in record["hits"][:2])
    first = lists(run_file)["q1"]
    assert [first[hit["first_stage_rank"] - 1] for hit in record["hits"]] == [
        (hit["docid"], hit["first_stage_score"]) for hit in record["hits"]
    ]


def test_json_names_the_hints_of_an_adapter(qpeft, arguments, written, tmp_path):
    from tiny import adapted, tiny_tokenizer

    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    assert qpeft(*arguments(output_format="jsonl", adapter=tmp_path / "adapter")).code == 0
    for line in written.read_text().splitlines():
        for hit in json.loads(line)["hits"]:
            assert hit["hints"]
            whole = [hint for hint in hit["hints"] if "\ufffd" not in hint]  # a token may be part of a letter
            assert all(hint in hit["text"] for hint in whole)


def test_the_runs_own_json_can_be_reranked_again_without_topics_or_texts(qpeft, arguments, written, tmp_path, scores):
    assert qpeft(*arguments()).code == 0
    plain = scores(written)
    assert qpeft(*arguments(output_format="jsonl")).code == 0
    stored = shutil.copy(written, tmp_path / "stored.jsonl")
    assert qpeft(*arguments(run=stored, topics=None, corpus=None)).code == 0
    assert scores(written) == pytest.approx(plain, abs=1e-5)


def test_rank_llm_requests_bring_queries_and_texts(qpeft, arguments, written, tmp_path, lists):
    candidates = [
        {"docid": 1, "score": 2.0, "doc": {"title": "The Nile", "segment": "a river"}},
        {"docid": 2, "score": 1.0, "doc": {"contents": "a city"}},
    ]
    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps({"query": {"qid": 5, "text": "which river"}, "candidates": candidates}))
    assert qpeft(*arguments(run=requests, topics=None, corpus=None)).code == 0
    assert {docid for docid, _ in lists(written)["5"]} == {"1", "2"}


def test_a_job_that_was_killed_is_taken_up_where_it_stopped(qpeft, error_of, arguments, written, lists):
    assert qpeft(*arguments()).code == 0
    whole = lists(written)
    written.unlink()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_AFTER_ONE_QUERY, *map(str, arguments())], capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    assert not written.exists()
    assert "depth None (now 1)" in error_of(*arguments(depth="1"))
    resumed = qpeft(*arguments())
    assert resumed.code == 0
    assert "2 queries" in resumed.err
    # Scores of two loadings of a model may differ by rounding; within one they may not, see test_rerank_run.
    resumed_lists = lists(written)
    assert resumed_lists.keys() == whole.keys()
    for qid, ranked in whole.items():
        assert [docid for docid, _ in resumed_lists[qid]] == [docid for docid, _ in ranked]
        assert [score for _, score in resumed_lists[qid]] == pytest.approx([score for _, score in ranked], abs=1e-5)
    assert [file.name for file in written.parent.iterdir()] == ["run"]


def test_json_is_another_word_for_jsonl(qpeft, arguments, written):
    assert qpeft(*arguments(output_format="jsonl")).code == 0
    jsonl = written.read_bytes()
    assert qpeft(*arguments(output_format="json")).code == 0
    assert written.read_bytes() == jsonl


def test_a_job_is_not_taken_up_with_weights_that_have_changed(
    qpeft, error_of, arguments, written, tmp_path, tiny_model_dir
):
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    here = arguments(model=folder)
    killed = subprocess.run([sys.executable, "-c", _KILLED_AFTER_ONE_QUERY, *map(str, here)], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight * 1.01 for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    assert "weights" in error_of(*here)
    assert qpeft(*here, "--restart").code == 0


def test_a_job_is_not_taken_up_with_other_texts_or_another_adapter_or_tokenizer(
    qpeft, error_of, arguments, written, tmp_path, tiny_model_dir
):
    from tiny import adapted, tiny_tokenizer

    corpus = tmp_path / "corpus.jsonl"
    texts = {"river": "The Nile flows.", "city": "Paris is a capital.", "priest": "Aaron", "song": "Reba", "7": "Rome"}
    corpus.write_text("".join(json.dumps({"_id": docid, "text": text}) + "\n" for docid, text in texts.items()))
    run = tmp_path / "run.txt"
    run.write_text("".join(f"{qid} Q0 {docid} 1 {n} x\n" for qid in ("q1", "q4") for n, docid in enumerate(texts)))
    model = shutil.copytree(tiny_model_dir, tmp_path / "model")
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    here = arguments(run=run, corpus=corpus, model=model, adapter=tmp_path / "adapter")
    killed = subprocess.run([sys.executable, "-c", _KILLED_AFTER_ONE_QUERY, *map(str, here)], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    for file, old, new, named in (
        (corpus, "The Nile", "Another river", "the texts of query q1 have changed since"),
        (tmp_path / "adapter" / "adapter_config.json", '"num_hints": 15', '"num_hints": 1', "num_hints 15 (now 1)"),
        (model / "tokenizer.json", '"content": "<s>"', '"content": "<S>"', "tokenizer '"),
        (model / "config.json", '"rms_norm_eps": 1e-06', '"rms_norm_eps": 0.1', "rms_norm_eps 1e-06 (now 0.1)"),
    ):
        before = file.read_text()
        assert old in before
        file.write_text(before.replace(old, new, 1))
        assert named in error_of(*here)
        file.write_text(before)
    assert "seconds False (now True)" in error_of(*here, "--seconds")
    assert qpeft(*here).code == 0


_KILLED_AFTER_ONE_QUERY = """
import os, signal, sys
from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.reranking.resume import ResumableWriter

write = ResumableWriter.write
def write_and_die(self, *args):
    write(self, *args)
    os.kill(os.getpid(), signal.SIGKILL)
ResumableWriter.write = write_and_die
main(sys.argv[1:])
"""


def test_a_full_disk_is_one_sentence_and_leaves_no_run(arguments, written, run_file, tmp_path):
    lines = [f"q1 Q0 {rank}-unread {rank} {1000 - rank} x" for rank in range(1, 900)]
    long_run = tmp_path / "long.txt"
    long_run.write_text("\n".join(lines))
    # A limit on the size of files fails as a full disk does, in the middle of a write.
    command = [sys.executable, "-B", "-m", "pyserini_qpeft", *map(str, arguments(run=long_run, depth="0"))]
    done = subprocess.run(["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"qpeft: error: cannot write {written}")
    assert "Traceback" not in done.stderr
    assert not written.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        ("", "is empty, where a run was expected"),
        ("q1 Q0 river 1 2.0 x\nq1 Q0 city 2\n", ":2: 4 columns, where a TREC run has 6"),
        ("q1 Q0 river 1 high x\n", ":1: "),
        ("q1 Q0 river 1 nan x\n", ":1: "),
        ("q1 Q0 river 1 2.0 x\nq9 Q0 city 1 2.0 x\n", "query q9 of "),
        ("q1 Q0 ocean 1 2.0 x\n", "document ocean is not in the corpus"),
        ('{"query": ', "broken JSON"),
    ],
)
def test_a_wrong_run_is_one_sentence(error_of, arguments, written, tmp_path, content, sentence):
    run = tmp_path / "wrong.txt"
    if content is not None:
        run.write_text(content)
    assert sentence in error_of(*arguments(run=run))
    assert list(written.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"topics": None}, "holds no queries: name them with --topics."),
        ({"corpus": None}, "give its source with --corpus or --index."),
        ({"topics": "no-such-topics"}, "the topics no-such-topics are neither a file nor a name"),
        ({"topics": "no-such-topics.tsv"}, "no such file: no-such-topics.tsv"),
        ({"topics": "no/such/topics"}, "no such file: no/such/topics"),
        ({"corpus": "no/such/corpus"}, "no such file: no/such/corpus"),
        ({"corpus": None, "index": "no-such-index"}, "neither a folder nor a prebuilt index"),
        ({"output": "no/such/folder/run"}, "the folder no/such/folder does not exist"),
        ({"model": "no/such/model"}, "no/such/model"),
        ({"adapter": "no/such/adapter"}, "no/such/adapter"),
        ({"device": "abacus"}, "unknown or absent device 'abacus'"),
        ({"dtype": "float3"}, "unknown dtype 'float3'"),
        ({"batch_tokens": "0"}, "batch_tokens must be at least 1"),
    ],
)
def test_wrong_options_are_one_sentence(error_of, arguments, written, changes, sentence):
    assert sentence in error_of(*arguments(**changes))
    assert list(written.parent.iterdir()) == []


def test_an_unknown_docid_of_an_index_is_named(error_of, arguments, index, tmp_path):
    (tmp_path / "run").write_text("q1 Q0 ocean 1 2.0 x\n")
    assert "document ocean is not in the index" in error_of(*arguments(run=tmp_path / "run", corpus=None, index=index))


def test_an_adapter_that_does_not_fit_is_refused(error_of, arguments, written, tmp_path):
    from tiny import adapted, tiny_tokenizer

    adapted("llama", tiny_tokenizer()).save_pretrained(tmp_path / "weightless")
    (tmp_path / "weightless" / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors" in error_of(*arguments(adapter=tmp_path / "weightless"))
    assert list(written.parent.iterdir()) == []


def test_a_score_that_is_no_number_names_query_and_document(error_of, arguments, written, tmp_path):
    import torch
    from tiny import tiny_model, tiny_tokenizer

    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path / "nan")
    tiny_tokenizer().save_pretrained(tmp_path / "nan")
    sentence = error_of(*arguments(model=tmp_path / "nan"))
    assert sentence.startswith("query q1: the score of document ")
    assert " is nan" in sentence
    assert any(f"'{docid}'" in sentence for docid in ("river", "city", "7"))
    assert not written.exists()


def test_what_the_user_gave_is_not_changed(qpeft, arguments, run_file, beir):
    given = {file: file.read_bytes() for file in (run_file, *beir.iterdir())}
    assert qpeft(*arguments()).code == 0
    assert {file: file.read_bytes() for file in (run_file, *beir.iterdir())} == given
