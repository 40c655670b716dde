"""The fenced blocks of a page, and a shell session made of them."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Commands of qpeft run in one process, in which torch and Java are loaded once; all other lines are bash's.
_SESSION = r"""
import json, shlex, subprocess, sys
from pyserini_qpeft.cli.__main__ import main
for step in json.load(sys.stdin):
    if step.startswith("qpeft "):
        arguments = shlex.split(step, comments=True)[1:]
        assert not main(arguments), arguments
    else:
        subprocess.run(["bash", "-euc", step], check=True)
"""


def fenced(page: str, language: str) -> list[str]:
    """The untitled fenced blocks of a language."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def steps(block: str) -> list[str]:
    """A block of shell: each command of qpeft, and what stands between them."""
    joined = block.replace("\\\n", " ")
    return [step for step in re.split(r"^(qpeft .*\n)", joined, flags=re.MULTILINE) if step.strip()]


def run_shell(blocks: list[str], folder: Path) -> str:
    """Run blocks of shell one after the other in a folder; what they print."""
    session = json.dumps([step for block in blocks for step in steps(block)])
    return _run([sys.executable, "-c", _SESSION], folder, session)


def run_python(program: str, folder: Path) -> str:
    """Run Python in a process of its own, in which nothing has found Java yet; what it prints."""
    return _run([sys.executable, "-c", program], folder)


def _run(command: list[str], folder: Path, typed: str | None = None) -> str:
    done = subprocess.run(command, cwd=folder, input=typed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
