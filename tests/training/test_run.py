"""A run can be interrupted, shared out and stacked, and what comes out is the same adapter."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.merging import merge_lora
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.training import run as training_run
from pyserini_qpeft.training.adapters import lora_underneath
from pyserini_qpeft.training.checkpoints import RunDirectory
from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.run import train
from pyserini_qpeft.training.trainer import AdapterTrainer, TrainingGuard

Make = Callable[..., TrainConfig]
PASSAGES = ["paris is the capital of france", "moses", ""]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{file.parent.name if file.parent != folder else ''}/{name}": weight
        for file in sorted(folder.rglob("adapter_model.safetensors"))
        for name, weight in load_file(file).items()
    }


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def assert_equal(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys() != set()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def assert_close(one: Path, other: Path, tolerance: float) -> None:
    first, second = weights(one), weights(other)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=tolerance, msg=name)


class Killed(Exception):
    """Stands for the end of the process."""


def interrupted_at(step: int, config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    original = AdapterTrainer.training_step

    def killed(self: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.state.global_step == step:
            raise Killed
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "training_step", killed)
        with pytest.raises(Killed):
            train(config)


@pytest.mark.parametrize("adapter", [{"variant": "retrieval"}, {"variant": "attention", "lora": True}])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(
    configured: Make, dev_file: Path, adapter: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dropout on, so that random numbers have to be taken up again too.
    adapter = {**adapter, "prompt": {"attention_dropout": 0.3}}
    settings = {"adapter": adapter, "dev": dev_file, "optimization": {"eval_steps": 2}}
    whole = train(configured("whole", **settings))
    interrupted = configured("interrupted", **settings)
    interrupted_at(3, interrupted, monkeypatch)
    place = interrupted.output.with_name("interrupted.training")
    # A checkpoint that was being written when the process ended.
    shutil.copytree(place / "checkpoint-2", place / "checkpoint-3")
    (place / "checkpoint-3" / "complete").unlink()
    (place / "checkpoint-3" / "trainer_state.json").unlink()
    resumed = train(interrupted, resume=True)
    assert whole is not None
    assert resumed is not None
    assert_equal(whole.config.output, interrupted.output)
    assert resumed.curve == whole.curve
    assert resumed.bare == whole.bare
    assert not place.exists()
    assert train(interrupted, resume=True) is None


def first_gradients(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Gradients of the first step; AdamW's own steps blow rounding up where a gradient is next to nothing."""
    gradients: dict[str, torch.Tensor] = {}

    class Seen(Exception):
        pass

    def look(self: Any, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        gradients.update({n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None})
        raise Seen

    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuard, "on_pre_optimizer_step", look)
        with pytest.raises(Seen):
            train(config)
    return gradients


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


@pytest.mark.parametrize(
    "adapter",
    [
        {"variant": "retrieval"},
        {"variant": "attention"},
        {"variant": "prompt-tuning"},
        {"variant": "lora"},
        {"variant": "retrieval", "lora": True},
        {"variant": "attention", "prompt": {"reference_settings": True}},
    ],
    ids=str,
)
def test_what_was_trained_is_what_is_loaded_and_the_base_stays(
    configured: Make, train_file: Path, adapter: dict[str, Any], tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    original = training_run._written

    def keep(model: Any, *args: Any) -> Path:
        kept["model"] = model
        return original(model, *args)

    monkeypatch.setattr(training_run, "_written", keep)
    before = {file.name: file.read_bytes() for file in tiny_model_dir.iterdir()}
    # Measured on what it is trained on: a random model learns that, and nothing that carries over to other questions.
    config = configured(adapter=adapter, dev=train_file, optimization={"epochs": 4})
    record = train(config)
    assert {file.name: file.read_bytes() for file in tiny_model_dir.iterdir()} == before
    base = load_file(tiny_model_dir / "model.safetensors")
    trained = {
        name.replace("base_layer.", "").rpartition("model.model.")[2]: weight
        for name, weight in kept["model"].named_parameters()
        if not weight.requires_grad
    }
    for name, weight in base.items():
        if name != "lm_head.weight":
            assert torch.equal(trained[name.removeprefix("model.")], weight), name

    loaded = QPeftReranker.from_pretrained(config.base.model, config.output, device="cpu", dtype="float32")
    again = type(loaded)(type(loaded.scorer)(kept["model"].eval(), loaded.scorer.encoder.tokenizer))
    # What is loaded has its LoRA merged.
    for model in (kept["model"], lora_underneath(kept["model"])):
        if model is not None:
            merge_lora(model, config.output)
    assert_same_weights(loaded.scorer.model, kept["model"])
    scores = loaded.score("capital france", PASSAGES)
    # Equal weights at other places in memory: kernels may sum in another order.
    np.testing.assert_allclose(again.score("capital france", PASSAGES), scores, rtol=0, atol=1e-5)
    bare = QPeftReranker.from_pretrained(config.base.model, device="cpu", dtype="float32")
    assert not np.allclose(scores, bare.score("capital france", PASSAGES), atol=1e-4)

    assert record is not None
    assert record.curve[-1]["loss"] < record.bare["loss"]
    card = (config.output / "README.md").read_text()
    assert f"{record.curve[-1]['ndcg']:.4f}" in card
    assert str(tiny_model_dir.parent) not in card


def test_a_lora_of_some_layers_is_one_of_the_last(configured: Make) -> None:
    config = configured(adapter={"variant": "lora", "lora_layers": 1}, optimization={"epochs": 1})
    train(config)
    names = load_file(config.output / "adapter_model.safetensors").keys()
    assert names
    assert all(".layers.1." in name for name in names)
    with pytest.raises(QPeftError, match="lora_layers is 3, and the model has 2 layers"):
        train(configured("other", adapter={"variant": "lora", "lora_layers": 3}))


@pytest.mark.parametrize("variant", ["retrieval", "prompt-tuning"])
def test_layers_of_a_lora_need_a_lora(configured: Make, variant: str) -> None:
    with pytest.raises(QPeftError, match="lora_layers is about a LoRA: choose variant lora, or give lora too"):
        configured(adapter={"variant": variant, "lora_layers": 1})
    assert configured(adapter={"variant": variant, "lora": True, "lora_layers": 1}).adapter.has_lora


def test_near_queries_train_on_the_same_passages(configured: Make) -> None:
    sampling = {"in_batch": 2, "groups": "near", "group_passages": 4}
    record = train(configured(sampling=sampling, optimization={"epochs": 1}))
    assert record is not None
    assert record.steps == 3


def test_training_stops_on_dev_and_keeps_the_best(configured: Make, dev_file: Path) -> None:
    schedule = {"epochs": 12, "patience": 2, "best_by": "loss", "learning_rate": 0.2, "scheduler": "constant"}
    record = train(configured(dev=dev_file, optimization=schedule))
    assert record is not None
    losses = {point["step"]: point["loss"] for point in record.curve}
    assert record.steps < 36
    assert losses[record.best_step] == min(losses.values())


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(configured: Make) -> None:
    schedule = {"learning_rate": 1e25, "scheduler": "constant", "eval_steps": 1, "clip": 0.0}
    config = configured(adapter={"prompt": {"mlp_residual": False}}, optimization=schedule)
    with pytest.raises(QPeftError, match=r"became (nan|inf|-inf) at step [2-6].*checkpoint-[1-5]\."):
        train(config)
    assert not config.output.exists()
    checkpoints = list(config.output.with_name("adapter.training").glob("checkpoint-*"))
    assert checkpoints
    for checkpoint in checkpoints:
        assert all(weight.isfinite().all() for weight in weights(checkpoint).values())


def test_an_output_that_is_taken_is_refused(configured: Make, tmp_path: Path) -> None:
    config = configured()
    config.output.mkdir()
    (config.output / "notes.txt").touch()
    with pytest.raises(QPeftError, match="holds something else already"):
        train(config)
    assert [file.name for file in config.output.iterdir()] == ["notes.txt"]


def test_an_unfinished_run_is_neither_overwritten_nor_resumed_with_other_settings(
    configured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_at(1, configured(), monkeypatch)
    with pytest.raises(QPeftError, match=r"unfinished run.*--resume"):
        train(configured())
    with pytest.raises(QPeftError, match=r"another loss: margin was 0\.0 and is 0\.5"):
        train(configured(loss=LossConfig(margin=0.5)), resume=True)


def test_a_run_of_a_version_with_fewer_settings_is_resumed(configured: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(optimization={"eval_steps": 1, "epochs": 1})
    interrupted_at(2, config, monkeypatch)
    file = config.output.with_name("adapter.training") / "settings.json"
    settings = json.loads(file.read_text())
    for group, name in (("adapter", "lora_layers"), ("sampling", "groups"), ("sampling", "group_passages")):
        del settings[group][name]
    del settings["licence"]
    file.write_text(json.dumps(settings))
    grouped = configured(sampling={"in_batch": 2, "groups": "near"}, optimization={"eval_steps": 1, "epochs": 1})
    with pytest.raises(
        QPeftError, match=r"another sampling: in_batch was 1 and is 2, groups was 'random' and is 'near'"
    ):
        train(grouped, resume=True)
    assert train(config, resume=True) is not None


def test_two_runs_to_one_output_are_kept_apart(configured: Make) -> None:
    config = configured()
    with RunDirectory(config.output).locked(), pytest.raises(QPeftError, match="another process is training to"):
        train(config, resume=True)
    assert train(config, resume=True) is not None


@pytest.mark.parametrize(
    "failure",
    [
        OSError(28, "No space left on device"),
        SafetensorError("I/O error: no space"),
        RuntimeError("write failed\nat 0"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_full_disk_is_one_sentence_and_complete_checkpoints_stay(
    configured: Make, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"optimization": {"eval_steps": 2}}
    whole = train(configured("whole", **settings))
    config = configured("full", **settings)
    place = config.output.with_name("full.training")
    original = AdapterTrainer._save

    def full(self: Any, output_dir: str | None = None, state_dict: Any = None) -> None:
        if self.state.global_step > 2:
            raise failure
        original(self, output_dir, state_dict)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "_save", full)
        with pytest.raises(
            QPeftError, match=r"cannot write to .*full\.training: [^\n]*; complete checkpoints are kept"
        ):
            train(config)
    assert (place / "checkpoint-2" / "complete").is_file()
    assert train(config, resume=True) is not None
    assert whole is not None
    assert_equal(whole.config.output, config.output)


def test_a_record_of_the_base_model_that_was_cut_short_is_written_again(
    configured: Make, dev_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(dev=dev_file)
    interrupted_at(1, config, monkeypatch)
    (config.output.with_name("adapter.training") / "bare.json").write_text('{"loss": 5.')
    record = train(config, resume=True)
    assert record is not None
    assert {"loss", "ndcg"} <= record.bare.keys()


def test_training_without_negatives_is_refused_for_a_loss_that_only_compares(
    configured: Make, train_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "positives.json"
    questions = json.loads(train_file.read_text())[:4]
    file.write_text(json.dumps([{**question, "hard_negative_ctxs": []} for question in questions]))
    for loss in ("pairwise", "listwise"):
        with pytest.raises(QPeftError, match=r"no training query has a negative.*--in-batch.*qpeft mine"):
            train(configured(train=file, loss=LossConfig(loss=loss)))
    once = {"epochs": 1}
    train(
        configured("shared", train=file, loss=LossConfig(loss="listwise"), sampling={"in_batch": 2}, optimization=once)
    )
    assert "no negative" not in caplog.text
    train(configured("both", train=file, optimization=once))
    assert "4 of 4 training queries have no negative: use the passages of other queries (--in-batch" in caplog.text


def test_a_base_model_that_cannot_be_trained_on_is_refused(configured: Make) -> None:
    for base, sentence in (({"quantize": "int8"}, "int8 cannot be trained on"), ({"adapter": "x"}, "leave out 'x'")):
        with pytest.raises(QPeftError, match=sentence):
            replace(configured(), base=ModelConfig(**base))


def test_fewer_queries_than_a_step_takes_are_refused(configured: Make) -> None:
    with pytest.raises(QPeftError, match="12 training queries are fewer than one step takes"):
        train(configured(optimization={"batch_queries": 16}))


def test_dev_that_overlaps_train_is_a_warning(
    configured: Make, train_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(configured(dev=train_file, optimization={"epochs": 1}))
    assert "12 of 12 dev queries" in caplog.text


def test_the_record_of_a_run_names_what_it_was_made_of(configured: Make, train_file: Path) -> None:
    config = configured()
    train(config)
    record = json.loads((config.output / "training.json").read_text())
    assert record["settings"]["train"] == [train_file.name]
    assert record["train_queries"] == 12
    assert {"torch", "transformers", "peft", "pyserini-qpeft"} <= record["versions"].keys()


def test_what_a_killed_process_has_left_goes_when_the_run_goes_on(
    configured: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyserini_qpeft.training import run

    config, save = configured(), run.save_adapter

    def killed(model: Any, folder: Path) -> None:
        save(model, folder)
        (folder / ".tmpAbCdEf").write_text("half of the weights, as safetensors writes them")
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "save_adapter", killed)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    monkeypatch.undo()
    assert train(config, resume=True) is not None
    assert not list(config.output.glob(".*"))
    place = RunDirectory(config.output)
    place.folder.mkdir()  # as after a kill between the move of the adapter and the removal of the run's folder
    assert train(config, resume=True) is None
    assert not place.folder.exists()
