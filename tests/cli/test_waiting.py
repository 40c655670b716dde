"""Threads that wait give their core back, unless the user has chosen otherwise."""

import os
import subprocess
import sys

import pytest

from pyserini_qpeft.cli.waiting import wait_without_cores


def test_threads_spin_for_a_short_time_only() -> None:
    environment: dict[str, str] = {"PATH": "/bin"}
    wait_without_cores(environment)
    assert environment == {"PATH": "/bin", "GOMP_SPINCOUNT": "2000"}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_has_set_stays(name: str) -> None:
    environment = {name: "1"}
    wait_without_cores(environment)
    assert environment == {name: "1"}


def test_the_command_line_sets_it_before_torch_is_loaded() -> None:
    program = (
        "import os, sys\n"
        "from pyserini_qpeft.cli import waiting\n"
        "set_it = waiting.wait_without_cores\n"
        "from pyserini_qpeft.cli import __main__ as program\n"
        "def checked(): set_it(); print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])\n"
        "program.wait_without_cores = checked\n"
        "program.main(['models'])\n"
    )
    clean = {name: value for name, value in os.environ.items() if "OMP" not in name and "KMP" not in name}
    run = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("False 2000\n")
