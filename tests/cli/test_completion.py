"""The scripts for shells complete what the parsers of the commands know."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft.cli.__main__ import commands, main

SHTAB = pytest.importorskip("shtab", reason="shtab, of the extra completion, is not installed")


def script(shell: str, capsys: Any) -> str:
    assert main(["completion", shell]) == 0
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_every_shell_gets_a_script_with_all_commands_and_no_path_of_this_machine(shell: str, capsys: Any) -> None:
    text = script(shell, capsys)
    for command, _ in commands():
        assert command in text
    assert str(Path(__file__).parents[2]) not in text


def completions(text: str, folder: Path, *words: str) -> set[str]:
    """What bash offers after these words; the last is the beginning of a word."""
    code = (
        f"{text}\nCOMP_WORDS=({' '.join(repr(word) for word in ('qpeft', *words))})\n"
        f"COMP_CWORD={len(words)}\n_comp_function=$(complete -p qpeft | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        f"$_comp_function qpeft {words[-1]!r} {words[-2] if len(words) > 1 else 'qpeft'!r}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    answer = subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_values_models_and_files(tmp_path: Path, capsys: Any) -> None:
    text = script("bash", capsys)
    (tmp_path / "bm25.txt").touch()
    assert completions(text, tmp_path, "re") == {"rerank"}
    assert {"--depth", "--device", "--dtype"} <= completions(text, tmp_path, "rerank", "--d")
    assert completions(text, tmp_path, "rerank", "--fusion", "z") == {"zscore"}
    assert completions(text, tmp_path, "rerank", "--output-format", "") >= {"trec", "csv", "jsonl"}
    assert "smollm2-135m-q4" in completions(text, tmp_path, "rerank", "--model", "smol")
    assert completions(text, tmp_path, "rerank", "--run", "bm") == {"bm25.txt"}
