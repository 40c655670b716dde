"""Questions whose positive passages repeat their words, and small runs on them."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SENTENCES

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig

WORDS = sorted({word for sentence in SENTENCES for word in re.findall("[a-z]{3,}", sentence.lower())})


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def record(draw: random.Random, negatives: int = 3) -> dict[str, Any]:
    question = " ".join(draw.sample(WORDS, 3))
    return {
        "question": question,
        "answers": ["Paris"],
        "positive_ctxs": [{"title": "", "text": f"{question} {' '.join(draw.sample(WORDS, 3))}"}],
        "negative_ctxs": [],
        "hard_negative_ctxs": [
            {"title": draw.choice(WORDS), "text": " ".join(draw.sample(WORDS, 5))} for _ in range(negatives)
        ],
    }


def write_dpr(path: Path, count: int, seed: int = 0) -> Path:
    draw = random.Random(seed)
    path.write_text(json.dumps([record(draw) for _ in range(count)]))
    return path


@pytest.fixture(scope="session")
def train_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dpr(tmp_path_factory.mktemp("examples") / "train.json", 12)


@pytest.fixture(scope="session")
def dev_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dpr(tmp_path_factory.mktemp("examples") / "dev.json", 6, seed=7)


@pytest.fixture
def configured(tiny_model_dir: Path, train_file: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """Makes a run of three steps an epoch, in float32 so that arithmetic can be compared."""

    def make(output: str = "adapter", *, train: Path = train_file, dev: Path | None = None, **groups: Any) -> Any:
        optimization = {"batch_queries": 4, "epochs": 2, "learning_rate": 0.01, **groups.pop("optimization", {})}
        adapter = groups.pop("adapter", {})
        if adapter.get("variant") == "attention":
            adapter = {**adapter, "prompt": {"attention_dropout": 0.0, **adapter.get("prompt", {})}}
        return TrainConfig(
            train=(train,),
            dev=() if dev is None else (dev,),
            output=tmp_path / output,
            base=ModelConfig(model=str(tiny_model_dir), device="cpu", dtype="float32"),
            progress=False,
            adapter=AdapterConfig(**adapter),
            sampling=SamplingConfig(**{"negatives": 2, **groups.pop("sampling", {})}),
            optimization=OptimizationConfig(**optimization),
            **groups,
        )

    return make
