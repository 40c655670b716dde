"""One process at a time holds a lock, and a killed one holds none."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pyserini_qpeft.locks import acquire, locked, release

HOLDER = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from pyserini_qpeft.locks import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
)


def holder(file: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_keeps_it_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    for end in ("by itself", "killed"):
        with holder(file) as other:
            with pytest.raises(TimeoutError), locked(file):
                pass
            if end == "killed":
                other.kill()
                other.wait()
            else:
                other.communicate("\n")
        with locked(file):
            assert file.exists()
        assert list(tmp_path.iterdir()) == []


def test_it_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    with holder(file) as other:
        start = time.perf_counter()
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        with locked(file, wait=True):
            assert time.perf_counter() - start < 30


def test_threads_hold_it_one_at_a_time(tmp_path: Path, in_threads: Any) -> None:
    file, held, most = tmp_path / "x.lock", [], []

    def often() -> None:
        for _ in range(15):
            with locked(file, wait=True):
                held.append(1)
                most.append(len(held))
                time.sleep(0.001)
                held.pop()

    in_threads([often] * 4)
    assert set(most) == {1}
    assert len(most) == 60


def test_a_lock_may_be_given_back_by_another_thread(tmp_path: Path, in_threads: Any) -> None:
    held = acquire(tmp_path / "x.lock")
    in_threads([lambda: release(held)])
    with locked(tmp_path / "x.lock"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="looks for a module that only POSIX has")
def test_nothing_needs_a_module_that_only_posix_has() -> None:
    for file in (Path(__file__).parents[1] / "pyserini_qpeft").rglob("*.py"):
        for module in ("fcntl", "pwd", "grp", "resource", "termios"):
            assert f"import {module}\n" not in file.read_text(), file
