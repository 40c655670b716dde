"""A corpus that is read in advance: its size is known before, a stopped reading goes on, and queries read nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import PAIRS, save_tiny_model, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring import passage_folder
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.pre_reading import PreReader
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
TEXTS = [passage for _, passage in PAIRS] + [f"{'river Nile ' * n}Paris" for n in range(1, 12)]
POOL = [(query, text) for query, _ in PAIRS for text in TEXTS]


def scorer_of(folder: Path, **config: Any) -> LikelihoodScorer:
    return LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_folder=folder, **config))


@pytest.mark.parametrize("dtype", ["model", "int8"])
def test_the_size_is_known_before_and_queries_then_read_nothing(
    tmp_path: Path, passages_read: Callable[[Any], list[int]], dtype: str
) -> None:
    reader = PreReader(scorer_of(tmp_path, passage_cache_dtype=dtype, batch_tokens=200))
    plan = reader.plan([*TEXTS, *TEXTS[:3]])
    assert (plan.passages, plan.missing) == (len(TEXTS), len(TEXTS))
    assert reader.read([*TEXTS, *TEXTS[:3]]) == len(TEXTS)
    assert 0.9 * plan.bytes - 512 * plan.passages <= reader.folder.bytes <= plan.bytes

    scorer = scorer_of(tmp_path, passage_cache_dtype=dtype)
    numbers = passages_read(scorer)
    bare = LikelihoodScorer(tiny_model(), TOKENIZER)
    got, expected = (one.score(one.sequences(POOL)) for one in (scorer, bare))
    np.testing.assert_allclose(got, expected, atol=1e-5 if dtype == "model" else 0.02)
    assert not numbers
    assert PreReader(scorer).plan(TEXTS).missing == 0


def test_a_stopped_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    reader = PreReader(scorer_of(tmp_path, batch_tokens=150))
    stored = 0

    def stop(count: int) -> None:
        nonlocal stored
        stored += count
        if stored > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reader.read(TEXTS, stop)
    again = PreReader(scorer_of(tmp_path))
    plan = again.plan(TEXTS)
    assert plan.missing == len(TEXTS) - stored > 0
    assert again.read(TEXTS) == plan.missing
    assert again.plan(TEXTS).missing == 0


def test_a_killed_reading_leaves_whole_files_only(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model")
    (tmp_path / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "{n}", "text": "{text}"}}\n' for n, text in enumerate(TEXTS) if "\n" not in text)
    )
    code = (
        "import os, signal, sys\n"
        "from pyserini_qpeft.cli.__main__ import main\n"
        "from pyserini_qpeft.scoring import stored_passages\n"
        "write, count = stored_passages.save_file, []\n"
        "def save(tensors, file, metadata):\n"
        "    write(tensors, file, metadata)\n"
        "    count.append(file)\n"
        "    if len(count) == 4:\n"
        "        os.truncate(file, 300)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "stored_passages.save_file = save\n"
        "main(sys.argv[1:])\n"
    )
    options = ["--corpus", tmp_path / "corpus.jsonl", "--model", model, "--device", "cpu", "--dtype", "float32"]
    command = ["cache", *options, "--passage-cache-folder", tmp_path / "cache", "--quiet"]
    killed = subprocess.run([sys.executable, "-c", code, *map(str, command)], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    from pyserini_qpeft.cli.__main__ import main

    files = sorted((tmp_path / "cache").rglob("*.safetensors"))
    before = {file: file.stat().st_ino for file in files}
    assert len(files) == 3
    assert main([str(word) for word in command]) == 0
    assert not list((tmp_path / "cache").rglob("*.part"))
    assert all(file.stat().st_ino == inode for file, inode in before.items()), "what was whole is not read again"
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == sum("\n" not in text for text in TEXTS)


def test_what_cannot_be_held_is_refused_before_anything_is_read(
    tmp_path: Path, passages_read: Callable[[Any], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = scorer_of(tmp_path / "limited", passage_cache_limit=20_000)
    numbers = passages_read(scorer)
    with pytest.raises(QPeftError, match=r"passages already take .* and the limit of .*limited is 20.0 kB: raise"):
        PreReader(scorer).plan(TEXTS)

    scorer = scorer_of(tmp_path / "full")
    usage = type("Usage", (), {"total": 100_000, "free": 25_000})
    monkeypatch.setattr(passage_folder.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(QPeftError, match=r"passages already take .* and 20.0 kB of the disk of .*full can be used"):
        PreReader(scorer).plan(TEXTS)
    assert not numbers
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("share", [1.0, 1.02, 1.5])
def test_passages_of_other_models_make_room_and_those_of_the_corpus_stay(tmp_path: Path, share: float) -> None:
    other = LikelihoodScorer(tiny_model(seed=5), TOKENIZER, ScoringConfig(passage_cache_folder=tmp_path))
    PreReader(other).read(TEXTS)
    size = PreReader(other).plan(TEXTS).bytes
    reader = PreReader(scorer_of(tmp_path, passage_cache_limit=int(size * share), batch_tokens=150))
    reader.plan(TEXTS)
    reader.read(TEXTS)
    assert reader.folder.bytes <= size * share
    assert reader.plan(TEXTS).missing == 0
    assert PreReader(other).plan(TEXTS).missing > 0


def test_without_a_folder_it_is_refused() -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_bytes=1 << 20))
    with pytest.raises(QPeftError, match="needs a folder"):
        PreReader(scorer)
