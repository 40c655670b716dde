"""The stages of a cascade as they are written."""

import json
from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft import FusionConfig, QPeftError, RerankConfig, ScoringConfig
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.cascade.config import read_cascade
from pyserini_qpeft.models.config import ModelConfig


def test_stages_name_model_adapter_depth_and_fusion_and_share_the_rest() -> None:
    shared = RerankConfig(
        fusion=FusionConfig("rrf", 0.4), below_depth="drop", milliseconds=50, scoring=ScoringConfig(passage_tokens=64)
    )
    words = "tiny@100, owner/model:file.q4.gguf+hub/adapter@20:none,tiny+none@10:minmax:.7,tiny@5:0.9"
    cascade = read_cascade(words, ModelConfig(dtype="float32"), shared)
    assert cascade.milliseconds == 50
    assert [(one.model.model, one.model.adapter, one.model.dtype) for one in cascade.stages] == [
        ("tiny", None, "float32"),
        ("owner/model:file.q4.gguf", "hub/adapter", "float32"),
        ("tiny", "none", "float32"),
        ("tiny", None, "float32"),
    ]
    configs = [one.config for one in cascade.stages]
    assert [(one.depth, one.below_depth) for one in configs] == [(100, "drop"), (20, "keep"), (10, "keep"), (5, "keep")]
    assert [one.fusion for one in configs] == [
        FusionConfig("rrf", 0.4),
        None,
        FusionConfig("minmax", 0.7),
        FusionConfig("rrf", 0.9),
    ]
    assert all(one.milliseconds is None and one.scoring.passage_tokens == 64 for one in configs)


def test_a_file_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "stages.json"
    stages = [
        {"model": "tiny", "depth": None},
        {"model": "tiny", "adapter": "none", "depth": 20, "margin": 1.5, "fusion": {"method": "minmax", "weight": 0.7}},
        {"model": "tiny", "depth": 5, "fusion": None},
    ]
    file.write_text(json.dumps(stages))
    first, *others = read_cascade(str(file)).stages
    assert first.config == RerankConfig()
    assert tuple(others) == read_cascade("tiny+none@20~1.5:minmax:0.7,tiny@5:none").stages
    assert list(map(str, others)) == ["tiny+none@20~1.5", "tiny@5"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("tiny", "cannot read the stage 'tiny': write it as MODEL"),
        ("tiny@100,", "cannot read the stage ''"),
        ("tiny@10,tiny@20", "stage 2 of the cascade rescores 20 hits, and stage 1 only 10 hits"),
        ("tiny@10:zscor", "stage 'tiny@10:zscor': unknown fusion method 'zscor'.*Did you mean 'zscore'"),
        ("tiny@10:none:0.3", "no effect without fusion"),
        ("tiny@10~-1", "cannot read the stage 'tiny@10~-1'"),
        ("tiny@10:0.9.9", "cannot read the stage 'tiny@10:0.9.9'"),
        ("tiny@10:.", "cannot read the stage 'tiny@10:.'"),
        ("tiny@10:2.5", "stage 'tiny@10:2.5': fusion weight must be between 0 and 1"),
    ],
)
def test_mistakes_name_the_stage(words: str, message: str) -> None:
    with pytest.raises(QPeftError, match=message):
        read_cascade(words)


@pytest.mark.parametrize(
    ("shared", "name"),
    [
        ({"model": ModelConfig("tiny")}, "model"),
        ({"model": ModelConfig(adapter="none")}, "adapter"),
        ({"config": RerankConfig(depth=5)}, "depth"),
        ({"config": RerankConfig(margin=1)}, "margin"),
        ({"config": RerankConfig(calibration=Calibration(1.0, 0.0))}, "a calibration"),
    ],
)
def test_what_each_stage_has_for_itself_is_not_set_for_all(shared: dict[str, Any], name: str) -> None:
    with pytest.raises(QPeftError, match=f"^{name} is set for all stages of a cascade"):
        read_cascade("tiny@10", **shared)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected a list of stages"),
        ('[{"model": "tiny"}]', "stage 1 must be an object with at least model and depth"),
        ('[{"model": "tiny", "depth": 3, "dept": 3}]', "stage 1: unknown setting 'dept'.*Did you mean 'depth'"),
        ('[{"model": "tiny", "depth": 3, "adapter": 5}]', "stage 1: adapter must be a name or null, and is 5"),
        ('[{"model": "tiny", "depth": 3, "margin": "1"}]', "stage 1: margin must be a number or null"),
        ('[{"model": "tiny", "depth": "3"}]', "stage 1: depth must be a whole number"),
    ],
)
def test_mistakes_in_a_file_name_file_and_stage(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "stages.json").write_text(content)
    with pytest.raises(QPeftError, match=f"stages.json: {message}"):
        read_cascade(str(tmp_path / "stages.json"))
