"""Damaged, misfitting and hostile files of models and adapters are refused in one sentence that names the file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import SHIPPED_MODEL, load_model
from pyserini_qpeft.models.registry import RESOURCES

WEIGHTS, CONFIG = "model.safetensors", "config.json"
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the shipped model and of its default adapter."""
    shutil.copytree(SHIPPED_MODEL, tmp_path / "model")
    shutil.copytree(RESOURCES / "adapters" / "retrieval", tmp_path / "adapter")
    return tmp_path / "model", tmp_path / "adapter"


def refused(model: Path, adapter: Path) -> str:
    """The sentence with which a model and an adapter are refused."""
    with pytest.raises(QPeftError) as caught:
        load_model(ModelConfig(model=str(model), adapter=str(adapter), device="cpu", dtype="float32"))
    message = str(caught.value)
    assert "\n" not in message
    return message


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def short_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def changed(**values: Any) -> Callable[[Path], None]:
    """Sets fields of a JSON file."""

    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


@pytest.mark.parametrize("damage", [cut, empty, garbage, short_header])
def test_damaged_weights_are_named(damage: Callable[[Path], None], folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    whole = (adapter / ADAPTER).read_bytes()
    damage(adapter / ADAPTER)
    assert str(adapter / ADAPTER) in refused(model, adapter)
    (adapter / ADAPTER).write_bytes(whole)
    damage(model / WEIGHTS)
    assert str(model / WEIGHTS) in refused(model, adapter)


@pytest.mark.parametrize(
    "damage",
    [
        changed(vocab_size=300),
        changed(hidden_size=191),
        changed(hidden_size="wide"),
        changed(num_attention_heads=0),
        changed(num_hidden_layers=None),
        changed(model_type="no-such-type"),
        changed(model_type=3),
        changed(rope_parameters="x"),
        changed(quantization_config="x"),
        cut,
        empty,
        garbage,
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("[" * 100_000),
    ],
)
def test_a_config_that_does_not_fit_is_refused(damage: Callable[[Path], None], folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    damage(model / CONFIG)
    assert str(model) in refused(model, adapter)


@pytest.mark.parametrize(
    "damage", [cut, empty, garbage, lambda path: path.write_text("[]"), lambda path: path.unlink()]
)
def test_a_damaged_tokenizer_is_refused(damage: Callable[[Path], None], folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    damage(model / "tokenizer.json")
    assert str(model) in refused(model, adapter)


def test_a_tokenizer_that_loads_and_cannot_encode_is_refused(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    changed(model_max_length=[512])(model / "tokenizer_config.json")
    assert str(model) in refused(model, adapter)


@pytest.mark.parametrize(
    "damage",
    [
        changed(num_hints="x"),
        changed(num_hints=None),
        changed(filters=3),
        changed(variant=["retrieval"]),
        changed(variant="no-such-variant"),
        changed(token_dim=64),
        changed(mlp_layers=2.5),
        changed(template=[]),
        changed(template={"no_such_part": "x"}),
        changed(lora_folder=3),
        changed(peft_type="NO_SUCH"),
        changed(peft_type=None),
        cut,
        empty,
        garbage,
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("[" * 100_000),
    ],
)
def test_an_adapter_config_that_does_not_fit_is_refused(
    damage: Callable[[Path], None], folders: tuple[Path, Path]
) -> None:
    model, adapter = folders
    damage(adapter / ADAPTER_CONFIG)
    assert str(adapter) in refused(model, adapter)


def test_the_field_of_a_wrong_value_is_named(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    changed(num_hints="x")(adapter / ADAPTER_CONFIG)
    assert f"{adapter / ADAPTER_CONFIG}: num_hints must be int, not 'x'" in refused(model, adapter)
    changed(vocab_size=300)(model / CONFIG)
    assert "is [8192, 192] in its weights and [300, 192] by its config.json" in refused(model, adapter)


def test_weights_under_other_names_are_refused(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    weights = load_file(adapter / ADAPTER)
    save_file({"x": torch.zeros(2)}, adapter / ADAPTER)
    assert f"has no weights for {min(weights)} ({len(weights)} of {len(weights)} are missing)" in refused(
        model, adapter
    )
    save_file(dict(list(weights.items())[1:]), adapter / ADAPTER)
    assert f"(1 of {len(weights)} are missing)" in refused(model, adapter)
    save_file({**weights, "base_model.more": torch.zeros(2)}, adapter / ADAPTER)
    assert "has weights that the model has no place for, such as base_model.more" in refused(model, adapter)


def test_weights_of_another_shape_are_refused(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    weights = load_file(adapter / ADAPTER)
    save_file({name: torch.zeros(3) for name in weights}, adapter / ADAPTER)
    assert str(adapter) in refused(model, adapter)


def with_lora(model: Path, adapter: Path) -> Path:
    """Gives the adapter a LoRA in a folder of its own."""
    from peft import LoraConfig, get_peft_model

    base, _ = load_model(ModelConfig(model=str(model), device="cpu", dtype="float32"))
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")).save_pretrained(
        adapter / "lora"
    )
    changed(lora_folder="lora")(adapter / ADAPTER_CONFIG)
    return adapter / "lora"


def test_a_lora_underneath_is_loaded_from_safetensors_only(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    lora = with_lora(model, adapter)
    load_model(ModelConfig(model=str(model), adapter=str(adapter), device="cpu", dtype="float32"))
    torch.save(load_file(lora / ADAPTER), lora / "adapter_model.bin")
    (lora / ADAPTER).unlink()
    message = refused(model, adapter)
    assert str(lora) in message
    assert "adapter_model.bin is not read" in message


def test_a_lora_outside_of_the_adapter_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    model, adapter = folders
    with_lora(model, adapter).rename(tmp_path / "elsewhere")
    for outside in ("../elsewhere", str(tmp_path / "elsewhere")):
        changed(lora_folder=outside)(adapter / ADAPTER_CONFIG)
        assert "which is outside of the folder" in refused(model, adapter)
    (adapter / "lora").symlink_to(tmp_path / "elsewhere")
    changed(lora_folder="lora")(adapter / ADAPTER_CONFIG)
    assert "which is outside of the folder" in refused(model, adapter)


def test_a_damaged_lora_is_named(folders: tuple[Path, Path]) -> None:
    model, adapter = folders
    lora = with_lora(model, adapter)
    cut(lora / ADAPTER)
    assert str(lora / ADAPTER) in refused(model, adapter)
    save_file({"x": torch.zeros(2)}, lora / ADAPTER)
    assert f"{lora / ADAPTER} has no weights for" in refused(model, adapter)


def test_an_adapter_of_another_model_is_refused_with_its_owner() -> None:
    from pyserini_qpeft.models.adapters import adapter_folder
    from pyserini_qpeft.models.registry import find_model
    from pyserini_qpeft.models.source import Source

    source = Source("smollm2-135m", "somewhere", find_model("smollm2-135m"))
    with pytest.raises(QPeftError, match=r"the adapter 'retrieval' belongs to the model 'tiny'"):
        adapter_folder("retrieval", source)
