"""A base model in 8-bit integers: smaller weights, close scores, the same hints; a missing package is named."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig, ScoringConfig
from pyserini_qpeft.models import quantization
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.models.loading import load_model

PAIRS = [
    (query, text)
    for query in ("which river runs through Egypt", "the capital of France")
    for text in ("The Nile is a river in Africa.", "Paris is the capital of France.", "Aaron was a prophet.")
]


@pytest.fixture(scope="module")
def full() -> QPeftReranker:
    return QPeftReranker.from_pretrained(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def quantised() -> QPeftReranker:
    pytest.importorskip("torchao", reason="int8 bases need torchao")
    return QPeftReranker.from_pretrained(device="cpu", dtype="float32", quantize="int8")


def test_linear_layers_are_in_integers_and_embeddings_and_output_are_not(quantised: QPeftReranker) -> None:
    base = quantised.scorer.model.get_base_model()
    assert type(base.model.layers[0].mlp.up_proj.weight.data) is not torch.Tensor
    for layer in (base.get_input_embeddings(), base.get_output_embeddings()):
        assert type(layer.weight.data) is torch.Tensor


def test_scores_are_close_and_hints_the_same(full: QPeftReranker, quantised: QPeftReranker) -> None:
    difference = np.abs(quantised.predict(PAIRS) - full.predict(PAIRS))
    assert 0 < difference.max() < 0.3
    for query, text in PAIRS:
        assert quantised.hints(query, [text]) == full.hints(query, [text])


def test_queries_of_a_passage_share_its_row_there_too(quantised: QPeftReranker) -> None:
    assert quantised.scorer.planner.packs


def test_its_passages_on_disk_are_not_those_of_the_full_base(quantised: QPeftReranker, tmp_path: Path) -> None:
    config = RerankConfig(scoring=ScoringConfig(passage_cache_bytes=1 << 28, passage_cache_folder=tmp_path))
    for way in ({}, {"quantize": "int8"}):
        options: dict[str, Any] = {"device": "cpu", "dtype": "float32", **way}
        QPeftReranker.from_pretrained(config=config, **options).predict(PAIRS)
    assert sum(place.is_dir() for place in tmp_path.iterdir()) == 2


@pytest.mark.parametrize(("way", "package"), [("int8", "torchao"), ("4bit", "bitsandbytes")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, way: Any, package: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(QPeftError, match=f"quantize=.{way}. needs {package}: pip install"):
        load_model(ModelConfig(device="cpu", quantize=way))


def test_an_unknown_value_is_refused_with_the_known_ones() -> None:
    with pytest.raises(QPeftError, match=r"int8, 8bit, 4bit, not .3bit."):
        ModelConfig(quantize="3bit")  # type: ignore[arg-type]


@pytest.mark.parametrize("amx", [True, False])
def test_a_processor_whose_bfloat16_is_faster_is_named(
    amx: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torchao", reason="int8 bases need torchao")
    monkeypatch.setattr(quantization, "cpu_has_amx", lambda: amx)
    quantization.quantization_options("int8", torch.device("cpu"))
    assert ("int8 is slower than bfloat16" in caplog.text) == amx
