"""`qpeft rerank` continues a run that was killed, if nothing has changed."""

import json
import shutil
import subprocess
import sys

import pytest
from safetensors.torch import load_file, save_file


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
    assert "seconds False (now True)" in error_of(*here, "--seconds", "--output-format", "jsonl")
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
