"""A GGUF file is a base model: converted once, with the scores that transformers' own loading gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import PAIRS
from tiny_gguf import write_tiny_gguf

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models import gguf
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.scoring.scorer import LikelihoodScorer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test."""
    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def load(model: Path | str) -> tuple[Any, Any]:
    return load_model(ModelConfig(model=str(model), device="cpu", dtype="float32"))


def conversions(cache: Path) -> list[Path]:
    return [path for path in (cache / "gguf").iterdir() if path.is_dir()]


def test_weights_tokens_and_scores_are_those_of_transformers_own_loading(file: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model, own_tokenizer = load(file)
    theirs, ours = base.state_dict(), model.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    for query, text in PAIRS:
        assert own_tokenizer(query, text) == tokenizer(query, text)
    expected = QPeftReranker(LikelihoodScorer(base, tokenizer)).predict(PAIRS)
    scores = QPeftReranker(LikelihoodScorer(model, own_tokenizer)).predict(PAIRS)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("shown", [True, False])
def test_the_conversion_shows_its_progress_only_if_transformers_does(
    file: Path, shown: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    try:
        load(file)
    finally:
        (logging.enable_progress_bar if was_shown else logging.disable_progress_bar)()
    assert ("Converting" in capfd.readouterr().err) is shown


def test_the_second_load_reads_the_cache(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = load(file)
    monkeypatch.setattr(gguf, "_convert", None)
    second, _ = load(file)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    (folder,) = conversions(cache)
    assert json.loads((folder / "source.json").read_text())["file"] == "tiny.gguf"
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".jinja"}


def test_the_same_content_is_converted_once_and_other_content_anew(file: Path, tmp_path: Path, cache: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(file.read_bytes())
    first, _ = load(file)
    load(copy)
    assert len(conversions(cache)) == 1
    write_tiny_gguf(copy, seed=1)
    changed, _ = load(copy)
    assert len(conversions(cache)) == 2
    assert not torch.equal(first.lm_head.weight, changed.lm_head.weight)


def test_other_files_beside_it_change_nothing(file: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"add_prefix_space": true, "bos_token": "x"}')
    (tmp_path / "tiny.gguf").write_bytes(file.read_bytes())
    _, tokenizer = load(tmp_path / "tiny.gguf")
    assert tokenizer.bos_token == "<s>"


def test_a_folder_with_one_gguf_file_means_that_file(file: Path) -> None:
    model, _ = load(file.parent)
    assert model.name_or_path == str(file.parent)


def test_an_adapter_records_the_name_of_its_base_model(file: Path) -> None:
    from pyserini_qpeft.training.adapter_config import AdapterConfig
    from pyserini_qpeft.training.adapters import make_adapter

    base, tokenizer = load(file)
    adapted = make_adapter(base, tokenizer, AdapterConfig(variant="retrieval"), 0)
    assert adapted.peft_config["default"].base_model_name_or_path == str(file)


def test_a_folder_with_several_is_refused(file: Path, tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(file.read_bytes())
    with pytest.raises(QPeftError, match=r"has several GGUF files \(a.gguf, b.gguf\)"):
        load(tmp_path)


def faults(folder: Path) -> dict[str, tuple[str, str]]:
    """Files with a fault, by the fault: the path, and what the message says."""
    whole = write_tiny_gguf(folder / "whole.gguf").read_bytes()
    (folder / "truncated.gguf").write_bytes(whole[: len(whole) // 2])
    (folder / "header.gguf").write_bytes(whole[:40])
    (folder / "magic.gguf").write_bytes(b"GGUF")
    (folder / "empty.gguf").write_bytes(b"")
    (folder / "text.gguf").write_text("no model")
    (folder / "tiny-00001-of-00002.gguf").write_bytes(whole)
    write_tiny_gguf(folder / "other.gguf", architecture="nosuch")
    write_tiny_gguf(folder / "dumb.gguf", tokenizer=False)
    return {
        "truncated": ("truncated.gguf", "is incomplete or damaged"),
        "header": ("header.gguf", "is incomplete or damaged"),
        "magic": ("magic.gguf", "is incomplete or damaged"),
        "empty": ("empty.gguf", "is not a GGUF file"),
        "text": ("text.gguf", "is not a GGUF file"),
        "part": ("tiny-00001-of-00002.gguf", "is one part of a model: merge"),
        "architecture": ("other.gguf", "of the architecture 'nosuch', which transformers .* does not read from GGUF"),
        "tokenizer": ("dumb.gguf", "has no tokenizer"),
        "absent": ("absent.gguf", "there is no file"),
    }


def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, cache: Path) -> None:
    for name, message in faults(tmp_path).values():
        with pytest.raises(QPeftError, match=message) as caught:
            load(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    left = sorted(path.name for path in (cache / "gguf").iterdir() if not path.name.endswith(".lock"))
    assert left == []


def test_two_processes_convert_it_once(file: Path, cache: Path) -> None:
    code = (
        "import sys, pyserini_qpeft.models.gguf as gguf\n"
        "from pathlib import Path\n"
        "convert = gguf._convert\n"
        "gguf._convert = lambda *args: (print('converted'), convert(*args))\n"
        "gguf.converted(Path(sys.argv[1]))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(2)
    ]
    said = "".join(process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert said.count("converted") == 1


def test_what_a_killed_process_left_is_replaced(file: Path, cache: Path) -> None:
    load(file)
    (folder,) = conversions(cache)
    partial = folder.with_name(f"{folder.name}.partial")
    folder.rename(partial)
    (partial / "model.safetensors").write_bytes(b"half")
    load(file)
    assert conversions(cache) == [folder]


def test_a_cache_that_cannot_be_written_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "blocked"))
    with pytest.raises(QPeftError, match=r"cannot write to the cache .*blocked.*set QPEFT_CACHE"):
        load(file)


def test_the_reranker_takes_a_gguf_file(file: Path) -> None:
    reranker = QPeftReranker.from_pretrained(file, device="cpu", dtype="float32")
    assert np.isfinite(reranker.predict(PAIRS)).all()
