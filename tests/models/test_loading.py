"""A named model is loaded completely, or refused with a reason."""

from pathlib import Path

import pytest
from tiny import save_tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model


def test_an_encoder_is_refused_although_transformers_would_give_it_a_new_head(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=400, **shape)).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(QPeftError, match="is not a causal language model: it has no weights for"):
        load_model(ModelConfig(model=str(tmp_path), device="cpu"))


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "opt-projected"])
def test_a_model_with_tied_embeddings_lacks_nothing(architecture: str, tmp_path: Path) -> None:
    model, _ = load_model(ModelConfig(model=str(save_tiny_model(tmp_path, architecture)), device="cpu"))
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def test_the_shipped_adapters_load_by_their_names() -> None:
    for name in ("retrieval", "attention"):
        model, _ = load_model(ModelConfig(adapter=name, device="cpu"))
        assert model.peft_config["default"].variant == name
