"""An output is whole or absent, and what a killed process has left goes at the next start."""

import signal
import subprocess
import sys

import pytest

from pyserini_qpeft.data.drafts import draft

WRITES = """
import sys, time
from pathlib import Path
from pyserini_qpeft.data.drafts import draft
with draft(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def writing(place) -> subprocess.Popen[str]:
    """A process that has written half of a file."""
    process = subprocess.Popen([sys.executable, "-c", WRITES, place], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_the_draft_of_a_killed_process_is_removed_at_the_next_start(tmp_path):
    place = tmp_path / "run.txt"
    process = writing(place)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert any(file.read_bytes() == b"half" for file in tmp_path.iterdir())
    with draft(place) as file:
        file.write(b"whole")
    assert [file.name for file in tmp_path.iterdir()] == ["run.txt"]


def test_the_draft_of_another_process_and_other_hidden_files_stay(tmp_path):
    place = tmp_path / "run.txt"
    (tmp_path / ".run.txt.swp").write_text("an editor's")
    (tmp_path / ".other.txt.01234567").write_text("a draft of another file")
    process = writing(place)
    before = set(tmp_path.iterdir())
    with draft(place) as file:
        file.write(b"whole")
    assert set(tmp_path.iterdir()) == before | {place}
    process.kill()
    process.wait()


def test_a_block_that_raises_leaves_what_was_there(tmp_path):
    place = tmp_path / "run.txt"
    place.write_text("old")
    with pytest.raises(KeyError), draft(place):
        raise KeyError
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
