"""`qpeft rerank`: each mistake is one sentence, and leaves no output."""

import subprocess
import sys

import pytest


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
