"""Twenty kills of the long run (`make kills`)."""

import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).with_name("kills.py")
JOBS = ("rerank, TREC", "rerank, JSON", "rerank, cache folder", "mine", "train")


def test_the_output_after_kills_is_that_of_an_undisturbed_run():
    done = subprocess.run(
        [sys.executable, HARNESS, "--kills", "20", "--jobs", *JOBS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
