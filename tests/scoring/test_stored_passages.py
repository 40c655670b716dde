"""Key-values on disk are used by later runs of the same model, and survive several writers."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.scoring.stored_passages import StoredPassages, model_fingerprint

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
PLENTY = 1 << 30


def scores(model: Any, **config: Any) -> Any:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(**config))
    return scorer.score(scorer.sequences(POOL))


def test_passages_on_disk_are_read_by_later_runs_of_the_same_model_only(
    tmp_path: Path, passages_read: Callable[[Any], list[int]]
) -> None:
    config = ScoringConfig(passage_cache_bytes=PLENTY, passage_cache_folder=tmp_path / "passages")
    model = adapted("llama", TOKENIZER, variant="retrieval")
    first = LikelihoodScorer(model, TOKENIZER, config)
    expected = first.score(first.sequences(POOL))
    files = sorted((tmp_path / "passages").rglob("*"))
    with safe_open(next(file for file in files if file.suffix == ".safetensors"), framework="pt") as opened:
        assert list(opened.keys())

    # Hints stand after the passage: another adapter over the same base reads the same passages.
    for again in (LikelihoodScorer(model, TOKENIZER, config), LikelihoodScorer(tiny_model(), TOKENIZER, config)):
        numbers = passages_read(again)
        got = again.score(again.sequences(POOL))
        assert not numbers
        assert again.adapter is None or np.allclose(got, expected, rtol=0, atol=1e-5)
    assert sorted((tmp_path / "passages").rglob("*")) == files

    other = LikelihoodScorer(tiny_model(seed=5), TOKENIZER, config)
    numbers = passages_read(other)
    got = other.score(other.sequences(POOL))
    assert sum(numbers) >= len(PAIRS)
    np.testing.assert_allclose(got, scores(tiny_model(seed=5)), atol=1e-5)


def test_a_broken_file_on_disk_is_named(tmp_path: Path) -> None:
    config = ScoringConfig(passage_cache_bytes=PLENTY, passage_cache_folder=tmp_path)
    scores(tiny_model(), passage_cache_bytes=PLENTY, passage_cache_folder=tmp_path)
    file = next(tmp_path.rglob("*.safetensors"))
    file.write_bytes(b"\0" * 20)
    with pytest.raises(QPeftError, match=f"{file.name} is not a file of key-values"):
        LikelihoodScorer(tiny_model(), TOKENIZER, config)


def test_weights_in_8_bits_have_a_fingerprint() -> None:
    model = tiny_model()
    before = model_fingerprint(model)
    weight = model.model.layers[0].mlp.up_proj
    weight.weight = torch.nn.Parameter((weight.weight * 50).to(torch.int8), requires_grad=False)
    assert (weight.weight < 0).any()
    assert model_fingerprint(model) != before


def save_often(folder: Path) -> None:
    for number in range(60):
        store = StoredPassages(Path(folder), "model", torch.device("cpu"))
        states = {bytes([number % 6, key]): torch.full((1, 2, 1, 3, 4), float(key)) for key in range(8)}
        store.save(states)
        loaded = dict(store.load(states))
        assert loaded.keys() == states.keys()
        assert all(torch.equal(loaded[key], one) for key, one in states.items())


def test_threads_and_processes_that_store_the_same_passages_do_not_disturb_each_other(
    in_threads: Any, tmp_path: Path
) -> None:
    in_threads([lambda: save_often(tmp_path)] * 4)
    imports = "import sys, torch\nfrom pathlib import Path\n"
    imports += "from pyserini_qpeft.scoring.stored_passages import StoredPassages\n"
    code = f"{imports}{inspect.getsource(save_often)}\nsave_often(sys.argv[1])"
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while other.poll() is None:
        save_often(tmp_path)
    assert other.returncode == 0
    assert [file.suffix for file in (tmp_path / "model").iterdir()] == [".safetensors"] * 6


def test_passages_whose_file_is_gone_are_read_again(tmp_path: Path) -> None:
    config = ScoringConfig(passage_cache_bytes=1, passage_cache_folder=tmp_path)
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, config)
    expected = scorer.score(scorer.sequences(POOL))
    for file in tmp_path.rglob("*.safetensors"):
        file.unlink()
    np.testing.assert_allclose(scorer.score(scorer.sequences(POOL)), expected, atol=1e-5)


def test_unfinished_files_of_a_killed_process_are_removed_by_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from pyserini_qpeft.scoring import stored_passages\n"
        "def half(states, file):\n"
        "    Path(file).write_bytes(b'half')\n"
        "    print(flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "stored_passages.save_file = half\n"
        "store = stored_passages.StoredPassages(Path(sys.argv[1]), 'model', torch.device('cpu'))\n"
        "store.save({b'key': torch.zeros(1, 2, 1, 3, 4)})\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        StoredPassages(tmp_path, "model", torch.device("cpu"))
        assert [file.suffix for file in (tmp_path / "model").iterdir()] == [".part"], "its writer is alive"
        writing.communicate(b"die\n")
    store = StoredPassages(tmp_path, "model", torch.device("cpu"))
    assert list((tmp_path / "model").iterdir()) == []
    store.save({b"key": torch.ones(1, 2, 1, 3, 4)})
    assert dict(StoredPassages(tmp_path, "model", torch.device("cpu")).load([b"key"])).keys() == {b"key"}


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    store = StoredPassages(tmp_path, "model", torch.device("cpu"))
    (tmp_path / "model").rmdir()
    with pytest.raises(QPeftError, match="cannot store passages in"):
        store.save({b"key": torch.zeros(1, 2, 1, 3, 4)})
    assert not [file for file in tmp_path.rglob("*") if file.suffix != ".lock"]
