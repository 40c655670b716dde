"""What a training run writes, when it stops, and what it refuses."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trained import weights

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.merging import merge_lora
from pyserini_qpeft.training import run as training_run
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.adapters import lora_underneath
from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.run import train

Make = Callable[..., TrainConfig]
PASSAGES = ["paris is the capital of france", "moses", ""]


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


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


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        (AdapterConfig, "lora_rank", "8", "lora_rank must be a whole number, not '8'"),
        (AdapterConfig, "lora_dropout", 1.5, "lora_dropout must be 0 or more and below 1, and is 1.5"),
        (SamplingConfig, "negatives", -1, "negatives must not be negative, and is -1"),
        (OptimizationConfig, "epochs", 1.5, "epochs must be a whole number, not 1.5"),
        (OptimizationConfig, "learning_rate", "fast", "learning_rate must be a number, not 'fast'"),
        (LossConfig, "temperature", None, "temperature must be a number, not None"),
    ],
)
def test_a_wrong_number_is_named(part: Callable[..., object], name: str, value: object, message: str) -> None:
    with pytest.raises(QPeftError, match=message):
        part(**{name: value})


@pytest.mark.parametrize("variant", ["retrieval", "prompt-tuning"])
def test_settings_of_a_lora_need_a_lora(configured: Make, variant: str) -> None:
    with pytest.raises(QPeftError, match="lora_layers is about a LoRA: choose variant lora, or give lora too"):
        configured(adapter={"variant": variant, "lora_layers": 1})
    with pytest.raises(QPeftError, match="lora_learning_rate is about a LoRA: choose variant lora, or give lora too"):
        configured(adapter={"variant": variant}, optimization={"lora_learning_rate": 0.001})
    lora = {"variant": variant, "lora": True, "lora_layers": 1}
    assert configured(adapter=lora, optimization={"lora_learning_rate": 0.001}).adapter.has_lora
    assert not configured(adapter={"variant": variant, "lora_targets": []}).adapter.has_lora


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


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rate": math.nan}, "learning_rate must be above 0, and is nan."),
        ({"lora_learning_rate": -1.0}, "lora_learning_rate must be above 0, and is -1.0."),
        ({"warmup": 2.0}, "warmup must be between 0 and 1, and is 2.0."),
        ({"clip": -1.0}, "clip must be 0 or more, and is -1.0."),
    ],
)
def test_numbers_of_optimization_out_of_range_are_named(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(QPeftError, match=f"^{re.escape(sentence)}$"):
        OptimizationConfig(**settings)
