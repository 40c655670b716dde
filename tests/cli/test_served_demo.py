"""`qpeft serve --demo` serves what `qpeft demo` shows."""

from pathlib import Path

import pytest

from pyserini_qpeft.cli.demo import PASSAGE_TOKENS, choose_model
from pyserini_qpeft.cli.served_demo import with_demo
from pyserini_qpeft.demo import stages
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.service.config import ServiceConfig


def test_index_model_and_questions_are_those_of_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "is_stale", lambda *_: False)
    config = with_demo(ServiceConfig(), tmp_path)
    assert config.model == choose_model(ModelConfig())[0]
    assert config.rerank.scoring.passage_tokens == PASSAGE_TOKENS
    assert config.index == (f"python-docs={tmp_path / 'index'}",)
    assert config.examples[0] == "remove spaces at the beginning and end of a string"
    assert len(config.examples) > 100
    assert capsys.readouterr().err.startswith("model: ")

    rerank = RerankConfig(scoring=ScoringConfig(passage_tokens=9))
    given = ServiceConfig(ModelConfig("tiny"), rerank, index=("other",), examples=("why",))
    config = with_demo(given, tmp_path)
    assert config.model == given.model
    assert config.rerank == given.rerank
    assert config.index == (f"python-docs={tmp_path / 'index'}", "other")
    assert config.examples == ("why",)

    config = with_demo(ServiceConfig(cascade="tiny@9"), tmp_path)
    assert (config.cascade, config.model) == ("tiny@9", ModelConfig())
