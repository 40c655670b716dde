"""When the Java virtual machine crashes, finished queries are kept, and the next start ends as if nothing had happened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jobs import JOBS

from pyserini_qpeft.lucene import build_index

pytest.importorskip("pyserini", reason="needs Pyserini: pip install 'pyserini-qpeft[java]'")

SEARCH = next(job for job in JOBS if job.name == "search, TREC")
CRASH = """
import sys
from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.reranking.resume import ResumableWriter

write = ResumableWriter.write

def crash(self, *given):
    write(self, *given)
    if len(self.finished) == 3:
        from jnius import autoclass
        autoclass("java.util.ArrayList")(2_000_000_000)  # more than Java's memory holds

ResumableWriter.write = crash
sys.exit(main(sys.argv[1:]))
"""


def test_a_crash_in_the_middle_of_a_search(inputs: Path, tmp_path: Path):
    build_index(inputs / "corpus.jsonl", inputs / "index", overwrite=True)
    outputs, undisturbed, reports, here = (tmp_path / name for name in ("out", "undisturbed", "reports", "here"))
    for folder in (outputs, undisturbed, reports, here):
        folder.mkdir()

    def search(folder: Path, *program: str, java: str = "") -> subprocess.CompletedProcess[str]:
        words = SEARCH.arguments.format(**{"in": inputs, "out": folder}).split()
        environment = {**os.environ, "TMPDIR": str(reports), "JAVA_TOOL_OPTIONS": java}
        command = [sys.executable, *program, *words]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)

    done = search(undisturbed, "-m", "pyserini_qpeft")
    assert done.returncode == 0, done.stderr
    (outputs / "run.txt").write_text("the output of yesterday")
    crashed = search(outputs, "-c", CRASH, java="-Xmx512m -XX:+CrashOnOutOfMemoryError")
    assert crashed.returncode < 0, crashed.stderr
    assert len(list(reports.glob("qpeft-java-crash-*.log"))) == 1
    assert (outputs / "run.txt").read_text() == "the output of yesterday"
    assert len((outputs / "run.txt.partial").read_text().splitlines()) == 4
    done = search(outputs, "-m", "pyserini_qpeft")
    assert done.returncode == 0, done.stderr
    assert [file.name for file in outputs.iterdir()] == ["run.txt"]
    assert (outputs / "run.txt").read_bytes() == (undisturbed / "run.txt").read_bytes()
    assert list(here.iterdir()) == []
