"""A Q-PEFT adapter lives as any PEFT adapter does: saved, loaded, switched, disabled, stacked, never merged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tiny import PAIRS, adapted, save_tiny_model, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft import QPeftConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()


def scores(model: Any) -> np.ndarray:
    scorer = LikelihoodScorer(model.eval(), TOKENIZER)
    return scorer.score(scorer.sequences(PAIRS))


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal weights at another place in memory may be multiplied in another order."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.fixture(params=["retrieval", "attention"])
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def saved(variant: str, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A saved adapter of non-zero weights and the scores it gave before it was saved."""
    model = adapted("llama", TOKENIZER, variant=variant, instruction_mode="soft", hint_table="low-rank")
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", scores(model)


def test_a_saved_adapter_scores_the_same_however_it_is_loaded(
    saved: tuple[Path, np.ndarray], variant: str, tmp_path: Path
) -> None:
    folder, before = saved
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert PeftConfig.from_pretrained(folder).variant == variant
    for options in ({}, {"low_cpu_mem_usage": True}, {"is_trainable": True}, {"adapter_name": "other"}):
        assert_close(scores(PeftModel.from_pretrained(tiny_model(), folder, **options)), before)
    base = save_tiny_model(tmp_path / "base")
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": str(base)}))
    assert_close(scores(AutoPeftModelForCausalLM.from_pretrained(folder)), before)


def test_only_the_adapter_learns_and_the_base_stays_byte_for_byte(variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant)
    before = {name: weight.clone() for name, weight in model.named_parameters() if "qpeft_" not in name}
    scorer = LikelihoodScorer(model, TOKENIZER)
    from pyserini_qpeft.scoring.batch import collate

    batch = collate(
        [[one] for one in scorer.sequences(PAIRS[:3])], scorer.adapter, 0, slice(1, len(scorer.builder.head))
    )
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1)
    model.train()
    (-model(**batch).scores.mean()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trained if weight.ndim > 1)
    optimizer.step()
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == {
        name for name, _ in model.named_parameters() if "qpeft_" in name
    }
    for name, weight in model.named_parameters():
        assert "qpeft_" in name or torch.equal(weight, before[name])


def test_disabling_the_adapter_gives_the_bare_model(variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant)
    bare_scorer = LikelihoodScorer(tiny_model(), TOKENIZER)
    bare = bare_scorer.score(bare_scorer.sequences(PAIRS))
    prompted = scores(model)
    with model.disable_adapter():
        assert_close(scores(model), bare)
    assert_close(scores(model), prompted)
    assert np.abs(prompted - bare)[:4].min() > 1e-3


def test_several_adapters_switch_and_only_the_active_one_is_trainable(
    saved: tuple[Path, np.ndarray], variant: str, tmp_path: Path
) -> None:
    folder, before = saved
    model = adapted("llama", TOKENIZER, variant=variant)
    first = scores(model)
    model.load_adapter(folder, "second", is_trainable=True)
    model.set_adapter("second")
    assert_close(scores(model), before)
    assert {
        name.split("qpeft_prompt.")[1].split(".")[0] for name, w in model.named_parameters() if w.requires_grad
    } == {"second"}
    model.set_adapter("default")
    assert_close(scores(model), first)
    model.save_pretrained(tmp_path / "both")
    assert_close(scores(PeftModel.from_pretrained(tiny_model(), tmp_path / "both" / "second")), before)
    model.delete_adapter("second")
    assert list(model.peft_config) == ["default"]


def lora(model: Any) -> Any:
    return get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )


def test_stacked_on_lora_both_learn_and_each_saves_its_own(variant: str, tmp_path: Path) -> None:
    below = lora(tiny_model())
    model = get_peft_model(below, QPeftConfig(variant=variant, mlp_residual=False)).eval()
    assert {kind.peft_type for kind in below.peft_config.values()} == {"LORA"}
    trainable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert any("lora_" in name for name in trainable)
    assert any("qpeft_" in name for name in trainable)
    before = scores(model)
    model.save_pretrained(tmp_path / "outer")
    below.save_pretrained(tmp_path / "inner")
    assert all("qpeft_" in name for name in load_file(tmp_path / "outer" / "adapter_model.safetensors"))
    assert all("lora_" in name for name in load_file(tmp_path / "inner" / "adapter_model.safetensors"))
    again = PeftModel.from_pretrained(tiny_model(), tmp_path / "inner")
    assert_close(scores(PeftModel.from_pretrained(again, tmp_path / "outer")), before)
    merged = again.merge_and_unload()
    assert_close(scores(PeftModel.from_pretrained(merged, tmp_path / "outer")), before)


def test_an_adapter_of_another_model_names_both_shapes(saved: tuple[Path, np.ndarray]) -> None:
    folder, _ = saved
    with pytest.raises(QPeftError, match=r"400 x 32 .* 400 x 16"):
        PeftModel.from_pretrained(tiny_model("opt-projected"), folder)


def test_merging_is_refused(variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant)
    for merge in (model.merge_adapter, model.merge_and_unload):
        with pytest.raises(QPeftError, match="cannot be merged"):
            merge()
    assert isinstance(model.unload(), type(tiny_model()))


def test_generation_goes_to_the_base_model(variant: str) -> None:
    ids = torch.tensor([[1, 5, 9]])
    model, base = adapted("llama", TOKENIZER, variant=variant), tiny_model()
    options = dict(max_new_tokens=4, do_sample=False)
    assert torch.equal(model.generate(input_ids=ids, **options), base.generate(input_ids=ids, **options))


@pytest.mark.parametrize("table", ["frozen", "low-rank", "copy"])
def test_every_hint_table_starts_from_the_base_embeddings(table: str, variant: str) -> None:
    torch.manual_seed(0)
    plain = get_peft_model(tiny_model(), QPeftConfig(variant=variant)).eval()
    torch.manual_seed(0)
    other = get_peft_model(tiny_model(), QPeftConfig(variant=variant, hint_table=table)).eval()
    with torch.no_grad():
        for name, weight in plain.base_model.prompt.named_parameters():
            other.base_model.prompt.get_parameter(name).copy_(weight)
    assert_close(scores(other), scores(plain))


def test_pooled_attention_gives_a_fixed_number_of_hints() -> None:
    model = adapted("llama", TOKENIZER, variant="attention", pooled_hints=3)
    scorer = LikelihoodScorer(model, TOKENIZER)
    sequences = scorer.sequences(PAIRS)
    assert [int((s.hint_index >= 0).sum()) for s in sequences] == [3, 3, 3, 3, 0]
    assert np.isfinite(scorer.score(sequences)).all()


@pytest.mark.parametrize("setting", [{"variant": "magic"}, {"filters": ["vowels"]}, {"num_hints": 0}])
def test_a_setting_that_does_not_exist_is_named(setting: dict[str, Any]) -> None:
    with pytest.raises(QPeftError, match=next(iter(setting)).rstrip("s")):
        QPeftConfig(**setting)
