"""What is rescored: the options, a stored configuration, and both."""

import argparse
from pathlib import Path

import pytest

from pyserini_qpeft.cli.reranking import add_model_options, add_ranking_options, read_rerank_config
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.config_file import write_rerank_config
from pyserini_qpeft.reranking.fusion import FusionConfig


@pytest.fixture
def tuned(tmp_path: Path) -> str:
    config = RerankConfig(depth=50, below_depth="drop", fusion=FusionConfig("minmax", 0.6))
    write_rerank_config(tmp_path / "tuned.json", config)
    return str(tmp_path / "tuned.json")


def parsed(*arguments: str) -> RerankConfig:
    parser = argparse.ArgumentParser()
    add_ranking_options(parser)
    add_model_options(parser)
    return read_rerank_config(parser.parse_args(arguments))


def test_nothing_given_is_the_default():
    assert parsed() == RerankConfig()


def test_a_stored_configuration_is_followed(tuned: str):
    assert parsed("--config", tuned) == RerankConfig(50, "drop", FusionConfig("minmax", 0.6))


def test_options_have_the_last_word_over_a_stored_configuration(tuned: str):
    assert parsed("--config", tuned, "--depth", "10").depth == 10
    assert parsed("--config", tuned, "--below-depth", "keep").below_depth == "keep"
    assert parsed("--config", tuned, "--fusion-weight", "0.2").fusion == FusionConfig("minmax", 0.2)
    assert parsed("--config", tuned, "--fusion").fusion == FusionConfig()


def test_fusion_is_the_default_and_none_turns_it_off(tuned: str):
    assert parsed().fusion == FusionConfig("zscore", None)
    assert parsed("--fusion", "none").fusion is None
    assert parsed("--config", tuned, "--fusion", "none").fusion is None
    assert parsed("--fusion", "rrf").fusion == FusionConfig("rrf", None)
    assert parsed("--fusion-weight", "0.2").fusion == FusionConfig("zscore", 0.2)


def test_a_configuration_may_leave_the_weight_to_the_model(tmp_path: Path):
    (tmp_path / "open.json").write_text('{"fusion": {"method": "minmax"}}')
    assert parsed("--config", str(tmp_path / "open.json")).fusion == FusionConfig("minmax", None)
    write_rerank_config(tmp_path / "written.json", RerankConfig())
    assert parsed("--config", str(tmp_path / "written.json")) == RerankConfig()


def test_a_weight_without_fusion_is_a_mistake():
    with pytest.raises(QPeftError, match="a fusion weight has no effect without fusion"):
        parsed("--fusion", "none", "--fusion-weight", "0.2")
