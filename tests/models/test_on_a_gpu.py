"""On a GPU a model comes back whole on the GPU, whatever adapter it has, and scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import PAIRS

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.reranking.reranker import QPeftReranker

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("adapter", ["retrieval", "attention", "none"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_shipped_model_and_its_adapters_score_on_a_gpu_as_on_a_cpu(adapter: str, dtype: str) -> None:
    found = {}
    for device in ("cpu", "cuda"):
        reranker = QPeftReranker.from_pretrained(adapter=adapter, device=device, dtype=dtype)
        devices = {weight.device.type for weight in reranker.scorer.model.parameters()}
        assert devices == {device}
        found[device] = np.asarray(reranker.predict(PAIRS))
    np.testing.assert_allclose(found["cuda"], found["cpu"], atol=1e-3 if dtype == "float32" else 0.1)


def test_a_lora_is_loaded_on_the_gpu(tiny_model_dir: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base, _ = load_model(ModelConfig(str(tiny_model_dir), device="cpu", adapter="none"))
    lora: Any = get_peft_model(base, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    lora.save_pretrained(tmp_path)
    model, _ = load_model(ModelConfig(str(tiny_model_dir), device="cuda", adapter=str(tmp_path)))
    assert {weight.device.type for weight in model.parameters()} == {"cuda"}
