"""Twenty kills of the long run (`make kills`)."""

import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kills.py")


@pytest.mark.parametrize(("job", "kills"), [("rerank, TREC", 7), ("rerank, JSON", 7), ("mine", 3), ("train", 3)])
def test_the_output_after_kills_is_that_of_an_undisturbed_run(job, kills):
    done = subprocess.run(
        [sys.executable, HARNESS, "--kills", str(kills), "--jobs", job], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
