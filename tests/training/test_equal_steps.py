"""Steps in parts, stored passages and several processes give the same gradients or weights."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trained import assert_close, assert_equal, first_gradients

from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.run import train

Make = Callable[..., TrainConfig]


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_a_step_in_parts_has_the_gradient_of_a_whole_one(
    configured: Make, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half the dropout: the parts have to repeat it. Random starts, so that no gradient is 0.
    prompt = {"attention_dropout": 0.5, "attention_start": "random", "mlp_residual": False}
    settings = {"adapter": {"variant": variant, "prompt": prompt}, "sampling": {"in_batch": 2, "negatives": 1}}
    parts = {"batch_tokens": 90, "passage_cache_bytes": 0}
    whole = first_gradients(configured("whole", **settings, optimization=parts), monkeypatch)
    changes: dict[str, dict[str, Any]] = {
        "parts": {"constant_memory": True, **parts},
        "layers": {"gradient_checkpointing": True, **parts},
    }
    if variant == "retrieval":
        changes |= {"accumulated": {"accumulation": 2}, "batches": {"batch_tokens": 4000}}
    assert len(whole) > 3
    for name, changed in changes.items():
        other = first_gradients(configured(name, **settings, optimization=changed), monkeypatch)
        for weight, gradient in whole.items():
            torch.testing.assert_close(other[weight], gradient, rtol=1e-4, atol=1e-6, msg=f"{name}: {weight}")


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
@pytest.mark.parametrize("limited", [{}, {"passage_cache_bytes": 1, "constant_memory": True}], ids=["kept", "dropped"])
def test_passages_that_are_read_once_leave_gradients_as_they_are(
    configured: Make, variant: str, limited: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = {"attention_start": "random", "mlp_residual": False}
    settings = {"adapter": {"variant": variant, "prompt": prompt}, "sampling": {"in_batch": 2, "negatives": 1}}
    anew = configured("anew", **settings, optimization={"passage_cache_bytes": 0})
    expected = first_gradients(anew, monkeypatch)
    gradients = first_gradients(configured("once", **settings, optimization=limited), monkeypatch)
    assert len(expected) > 3
    for weight, gradient in expected.items():
        torch.testing.assert_close(gradients[weight], gradient, rtol=1e-4, atol=1e-6, msg=weight)


def test_stored_passages_serve_the_next_run_and_the_bare_model(
    configured: Make, dev_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    reading = PairModel.read_passages

    def counted(model: PairModel, ids: np.ndarray, instruction: slice) -> torch.Tensor:
        read.append(len(ids))
        return reading(model, ids, instruction)

    monkeypatch.setattr(PairModel, "read_passages", counted)
    adapter = {"variant": "retrieval", "prompt": {"hint_gate": -2.0, "instruction_mode": "suffix"}}
    for name, folder in [("anew", None), ("first", tmp_path / "passages"), ("second", tmp_path / "passages")]:
        read.clear()
        optimization = {"passage_cache_folder": folder}
        train(configured(name, adapter=adapter, dev=dev_file, optimization=optimization))
    # One passage each for the scorers of the bare model and of the adapter, to learn how large key-values are.
    assert read == [1, 1]
    assert_equal(tmp_path / "first", tmp_path / "second")
    assert_close(tmp_path / "anew", tmp_path / "second", 1e-6)


def test_two_processes_equal_one(configured: Make, tmp_path: Path) -> None:
    one = configured("one")
    train(one)
    two = configured("two")
    arguments = ["--train", str(two.train[0]), "--output", str(two.output), "--model", str(two.base.model)]
    options = "--device cpu --dtype float32 --quiet --negatives 2 --batch-queries 4 --epochs 2"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "pyserini_qpeft", "train", *arguments, *options.split(), "--learning-rate", "0.01"),
        ],
        check=True,
        env=environment,
        capture_output=True,
    )
    assert_close(one.output, two.output, 1e-6)
