"""Key-values on disk are used by later runs of the same model, and survive several writers, kills and broken files."""

import inspect
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring import stored_passages
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.key_values import KeyValueLayout
from pyserini_qpeft.scoring.model_fingerprint import model_fingerprint
from pyserini_qpeft.scoring.passage_folder import PassageFolder
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.scoring.stored_passages import StoredPassages

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
MODEL = "a" * 24
LAYOUT = KeyValueLayout(1, 1, 4, torch.float32)


def scorer_of(model: Any, **config: Any) -> LikelihoodScorer:
    return LikelihoodScorer(model, TOKENIZER, ScoringConfig(**config))


def scores(model: Any, **config: Any) -> Any:
    scorer = scorer_of(model, **config)
    return scorer.score(scorer.sequences(POOL))


def passages(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def store(folder: Path, limit: int | None = None) -> StoredPassages:
    return StoredPassages(PassageFolder(folder, limit), MODEL, LAYOUT, torch.device("cpu"))


def key(*tokens: int) -> bytes:
    return np.array(tokens, dtype=np.int64).tobytes()


def kept(tokens: int, value: float = 1.0) -> Any:
    return LAYOUT.keep(torch.full((1, 2, 1, tokens, 4), value))


@pytest.mark.parametrize("dtype", ["model", "int8"])
def test_passages_on_disk_are_used_by_later_runs_of_the_same_model_only(
    tmp_path: Path, passages_read: Callable[[Any], list[int]], dtype: str
) -> None:
    config = {"passage_cache_folder": tmp_path / "passages", "passage_cache_dtype": dtype}
    model = adapted("llama", TOKENIZER, variant="retrieval")
    expected = scores(model, **config)
    files = passages(tmp_path)
    assert len(files) == len(PAIRS)

    # Hints stand after the passage: another adapter over the same base model uses the same passages.
    attended = adapted("llama", TOKENIZER, variant="attention")
    for other in (model, tiny_model(), attended, adapted("llama", TOKENIZER, variant="none")):
        again = scorer_of(other, **config)
        numbers = passages_read(again)
        got = again.score(again.sequences(POOL))
        assert not numbers
        assert other is not model or np.allclose(got, expected, rtol=0, atol=1e-5)
    assert passages(tmp_path) == files

    other = scorer_of(tiny_model(seed=5), **config)
    numbers = passages_read(other)
    got = other.score(other.sequences(POOL))
    assert sum(numbers) == len(PAIRS)
    np.testing.assert_allclose(got, scores(tiny_model(seed=5)), atol=1e-5 if dtype == "model" else 0.02)


def test_what_is_kept_as_integers_is_not_mixed_with_what_is_not(tmp_path: Path) -> None:
    exact = scores(tiny_model(), passage_cache_folder=tmp_path)
    coarse = scores(tiny_model(), passage_cache_folder=tmp_path, passage_cache_dtype="int8")
    assert np.abs(coarse - exact).max() > 1e-7
    assert len(passages(tmp_path)) == 2 * len(PAIRS)
    np.testing.assert_array_equal(scores(tiny_model(), passage_cache_folder=tmp_path), exact)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(
    memory=st.sampled_from([1, 20_000, 1 << 30]),
    limit=st.sampled_from([0, 2_000, 30_000, 100_000]),
    removed=st.sets(st.integers(0, len(PAIRS) - 1)),
    order=st.permutations(POOL),
)
def test_scores_are_the_same_whatever_the_folder_keeps(
    tmp_path_factory: pytest.TempPathFactory,
    memory: int,
    limit: int,
    removed: set[int],
    order: list[tuple[str, str]],
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    expected = dict(zip(POOL, scores(tiny_model()), strict=True))
    for _ in range(2):
        scorer = scorer_of(
            tiny_model(), passage_cache_bytes=memory, passage_cache_folder=folder, passage_cache_limit=limit
        )
        for _ in range(2):
            got = scorer.score(scorer.sequences(order))
            np.testing.assert_allclose(got, [expected[pair] for pair in order], atol=1e-5)
            assert PassageFolder(folder).bytes <= limit
            for number, file in enumerate(passages(folder)):
                if number in removed:
                    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


def another_passage(file: Path) -> None:
    """A file of the right form that belongs to another passage, under this one's name."""
    other = next(one for one in passages(file.parent) if one != file)
    shutil.copyfile(other, file)


@pytest.mark.parametrize("damage", [cut, empty, zeros, folder_in_its_place, another_passage])
def test_broken_and_foreign_files_are_read_anew_with_one_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    passages_read: Callable[[Any], list[int]],
    damage: Callable[[Path], None],
) -> None:
    expected = scores(tiny_model(), passage_cache_folder=tmp_path)
    files = passages(tmp_path)
    for file in files[:2]:
        damage(file)
    with caplog.at_level(logging.WARNING):
        got = scores(tiny_model(), passage_cache_folder=tmp_path)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert [record.getMessage().count(str(tmp_path)) for record in caplog.records] == [1]
    if damage is not folder_in_its_place:
        again = scorer_of(tiny_model(), passage_cache_folder=tmp_path)
        numbers = passages_read(again)
        np.testing.assert_allclose(again.score(again.sequences(POOL)), expected, atol=1e-5)
        assert not numbers, "the broken files have been replaced"


def test_a_passage_that_is_larger_than_the_limit_is_left_out_and_the_others_are_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept_files = store(tmp_path, 2000)
    with caplog.at_level(logging.WARNING):
        for token in (1, 2):
            long = tuple(range(token, token + 90))
            kept_files.save({key(*long): kept(90), key(token, 5): kept(2)})
    assert kept_files.stored([key(1, 5), key(2, 5)]) == {key(1, 5), key(2, 5)}
    assert len(passages(tmp_path)) == 2
    assert [record.getMessage()[:23] for record in caplog.records] == ["a passage of 90 tokens "]


def test_a_folder_that_cannot_be_written_any_more_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = scorer_of(tiny_model(), passage_cache_folder=tmp_path, batch_tokens=60)
    shutil.rmtree(tmp_path)
    tmp_path.touch()
    with caplog.at_level(logging.WARNING):
        got = scorer.score(scorer.sequences(POOL))
    np.testing.assert_allclose(got, scores(tiny_model()), atol=1e-5)
    assert [record.getMessage().startswith("no further passages are stored") for record in caplog.records] == [True]


def test_a_folder_that_somebody_has_emptied_is_filled_again(tmp_path: Path) -> None:
    scorer = scorer_of(tiny_model(), passage_cache_bytes=1, passage_cache_folder=tmp_path)
    expected = scorer.score(scorer.sequences(POOL))
    shutil.rmtree(tmp_path)
    np.testing.assert_allclose(scorer.score(scorer.sequences(POOL)), expected, atol=1e-5)
    assert len(passages(tmp_path)) >= len(PAIRS) - 1, "all but the one that was still in memory"


def test_weights_in_8_bits_have_a_fingerprint() -> None:
    model = tiny_model()
    before = model_fingerprint(model)
    weight = model.model.layers[0].mlp.up_proj
    weight.weight = torch.nn.Parameter((weight.weight * 50).to(torch.int8), requires_grad=False)
    assert (weight.weight < 0).any()
    assert model_fingerprint(model) != before


def save_often(folder: Path) -> None:
    """Stores passages again and again in a folder that holds about two thirds of them, and loads what is there."""
    layout = KeyValueLayout(1, 1, 4, torch.float32)
    stored = StoredPassages(PassageFolder(Path(folder), 40_000), "a" * 24, layout, torch.device("cpu"))
    for number in range(40):
        states = {}
        for token in range(8):
            ids = np.array([number % 12, token, 5], dtype=np.int64)
            states[ids.tobytes()] = layout.keep(torch.full((1, 2, 1, 3, 4), float(token)))
        stored.save(states)
        for ids, found in stored.load(states):
            assert torch.equal(found.states, states[ids].states)
        assert stored.folder.bytes <= 40_000


def test_threads_and_processes_that_share_a_folder_keep_to_its_limit_and_see_whole_files(
    in_threads: Any, tmp_path: Path
) -> None:
    imports = "import sys, torch\nimport numpy as np\nfrom pathlib import Path\n"
    imports += "from pyserini_qpeft.scoring.key_values import KeyValueLayout\n"
    imports += "from pyserini_qpeft.scoring.passage_folder import PassageFolder\n"
    imports += "from pyserini_qpeft.scoring.stored_passages import StoredPassages\n"
    code = f"{imports}{inspect.getsource(save_often)}\nprint(flush=True)\nsave_often(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        in_threads([lambda: save_often(tmp_path)] * 3)
    assert other.returncode == 0
    assert {file.suffix for file in (tmp_path / MODEL).iterdir()} == {".safetensors", ".json"}


def test_what_one_process_stores_another_sees_at_once(tmp_path: Path) -> None:
    early, late = store(tmp_path), store(tmp_path)
    late.save({key(1, 2, 3): kept(3, 5.0)})
    ((_, found),) = early.load([key(1, 2, 3), key(4)])
    assert torch.equal(found.states, kept(3, 5.0).states)


@pytest.mark.parametrize("reason", ["Cannot allocate memory (os error 12)", "Too many open files (os error 24)"])
def test_a_file_that_cannot_be_opened_for_want_of_memory_is_not_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SafetensorError(reason)

    stored = store(tmp_path)
    stored.save({key(1): kept(1)})
    before = [file.stat().st_ino for file in passages(tmp_path)]
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(stored_passages, "safe_open", fail)
        assert dict(stored.load([key(1)])) == {}
        stored.save({key(1): kept(1)})
    assert not caplog.records
    assert [file.stat().st_ino for file in passages(tmp_path)] == before, "it is not written again"
    assert dict(stored.load([key(1)])).keys() == {key(1)}


def test_what_is_stored_is_found_without_the_device_of_the_model(tmp_path: Path) -> None:
    stored = StoredPassages(PassageFolder(tmp_path), MODEL, LAYOUT, torch.device("cuda"))
    stored.save({key(1): kept(1)})
    assert stored.stored([key(1), key(2)]) == {key(1)}


def test_unfinished_files_of_a_killed_process_are_removed_by_the_next_one(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from pyserini_qpeft.scoring import stored_passages\n"
        "from pyserini_qpeft.scoring.key_values import KeyValueLayout\n"
        "from pyserini_qpeft.scoring.passage_folder import PassageFolder\n"
        "def half(states, file, metadata):\n"
        "    Path(file).write_bytes(b'half')\n"
        "    Path(file).with_name('.tmpaB12cD').write_bytes(b'as safetensors does')\n"
        "    print(flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "stored_passages.save_file = half\n"
        "layout = KeyValueLayout(1, 1, 4, torch.float32)\n"
        "folder = PassageFolder(Path(sys.argv[1]))\n"
        "store = stored_passages.StoredPassages(folder, 'a' * 24, layout, torch.device('cpu'))\n"
        "store.save({bytes(24): layout.keep(torch.zeros(1, 2, 1, 3, 4))})\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]

    def files() -> set[str]:
        return {file.suffix or file.name for file in (tmp_path / MODEL).iterdir()} - {".json"}

    (tmp_path / ".tmpaB12cD").touch()  # of another program
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        store(tmp_path)
        assert files() == {".part", ".tmpaB12cD"}, "its writer is alive"
        writing.communicate(b"die\n")
    assert dict(store(tmp_path).load([bytes(24)])) == {}
    again = store(tmp_path)
    assert files() == set()
    assert (tmp_path / ".tmpaB12cD").exists()
    again.save({bytes(24): kept(3)})
    assert dict(store(tmp_path).load([bytes(24)])).keys() == {bytes(24)}


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    stored = store(tmp_path)
    (tmp_path / MODEL).rmdir()
    (tmp_path / MODEL).touch()
    with pytest.raises(QPeftError, match="cannot store passages in"):
        stored.save({key(1): kept(1)})
    with pytest.raises(QPeftError, match="cannot store passages in"):
        store(tmp_path)
    assert passages(tmp_path) == []
