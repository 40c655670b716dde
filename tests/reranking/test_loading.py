"""`QPeftReranker.from_pretrained`: what it loads, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from five_hits import PASSAGES, QUERY, configured
from tiny import adapted, tiny_tokenizer

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker
from pyserini_qpeft.scoring.scorer import LikelihoodScorer


def test_a_reranker_says_what_it_is(reranker: QPeftReranker, tiny_model_dir: Path, tmp_path: Path) -> None:
    assert repr(reranker) == (
        f"QPeftReranker(model='{tiny_model_dir}', adapter='none', dtype=float32, depth=all, fusion=none)"
    )
    assert repr(configured(reranker, depth=20, fusion=FusionConfig("rrf", 0.25))).endswith(
        "depth=20, fusion=rrf with weight 0.25)"
    )
    shipped = repr(QPeftReranker.from_pretrained(device="cpu", dtype="bfloat16"))
    assert shipped.startswith("QPeftReranker(model='tiny', adapter='retrieval', dtype=bfloat16")
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    assert f"adapter='{tmp_path}'" in repr(QPeftReranker.from_pretrained(tiny_model_dir, tmp_path))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"model": "no/such/folder"}, "there is no folder 'no/such/folder'"),
        ({"model": "no-such-hub-id"}, "cannot load 'no-such-hub-id'"),
        ({"device": "quantum"}, "unknown or absent device 'quantum'"),
        ({"dtype": "float7"}, "unknown dtype 'float7'"),
        ({"adapter": "./nothing"}, "there is no folder './nothing' to load a PEFT adapter from"),
        ({"adapter": "no-such-hub-id"}, "cannot load the adapter 'no-such-hub-id'"),
    ],
)
def test_what_cannot_be_loaded_is_named(tiny_model_dir: Path, arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        QPeftReranker.from_pretrained(**{"model": tiny_model_dir, **arguments})


def test_an_adapter_folder_without_weights_is_named(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(QPeftError, match=r"has no adapter_model\.safetensors"):
        QPeftReranker.from_pretrained(tiny_model_dir, tmp_path)


def test_a_model_that_is_no_causal_language_model_is_named(tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=400, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(QPeftError, match="as a causal language model"):
        QPeftReranker.from_pretrained(tmp_path)


def test_weights_in_pickle_are_refused(tmp_path: Path, tiny_model_dir: Path) -> None:
    for path in tiny_model_dir.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(QPeftError, match="cannot load"):
        QPeftReranker.from_pretrained(tmp_path)


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_a_pretrained_model_made_elsewhere_learns_a_step_and_scores_the_same_when_loaded(
    shared: Path, tmp_path: Path, variant: str
) -> None:
    from peft import get_peft_model

    from pyserini_qpeft import QPeftConfig
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.models.loading import load_model
    from pyserini_qpeft.training.pair_scorer import PairScorer

    options: dict[str, Any] = {"device": "cpu", "dtype": "float32"}
    texts = list(PASSAGES.values())
    bare = QPeftReranker.from_pretrained(shared / "models", **options).score(QUERY, texts)
    assert np.isfinite(bare).all()
    base, tokenizer = load_model(ModelConfig(model=str(shared / "models"), **options))
    words = tokenizer("please write a question for this passage\n", add_special_tokens=False)["input_ids"]
    model = get_peft_model(base, QPeftConfig(instruction_ids=words, variant=variant, num_hints=5)).eval()
    trained = QPeftReranker(LikelihoodScorer(model, tokenizer))
    before = trained.score(QUERY, texts)

    batch = trained.scorer.row_scorer.collate(
        [[one] for one in trained.scorer.sequences([(QUERY, text) for text in texts])]
    )
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.001)
    (-PairScorer(model)([batch]).mean()).backward()
    optimizer.step()

    after = trained.score(QUERY, texts)
    assert after.mean() > before.mean()
    model.save_pretrained(tmp_path)
    loaded = QPeftReranker.from_pretrained(shared / "models", tmp_path, **options)
    np.testing.assert_allclose(loaded.score(QUERY, texts), after, rtol=0, atol=1e-5)
