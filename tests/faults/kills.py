"""Kills commands at random moments and runs them again: the output must be that of a run that nobody disturbed.

    python tests/faults/kills.py --kills 1400 --report kills.json

Each trial starts a job with empty folders, kills it up to three times with SIGKILL, and lets it end. Then every file of
the output must be byte-equal to that of an undisturbed run, and there must be no other file there, in the cache or in
the folder for temporary files. With a cache folder, scores may differ by rounding. Half of the kills come at a moment
that is drawn from the processor time of the whole job, which does not depend on what else the machine does. The other
half come up to 3 ms after the job changes files: a file is opened for writing, renamed or removed, or a folder is made.

A job runs in a fork of this process, which has imported what the job needs. No fork has Java from here.
"""

import argparse
import contextlib
import gc
import importlib
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from select import select
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT), str(ROOT.parent)]

from forks import Fork, command  # noqa: E402
from jobs import JOBS, Job, write_inputs  # noqa: E402

KILLS_IN_A_TRIAL = 3
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
_LONGEST_DELAY = 0.003
_POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Kill:
    """When a job is killed: after some processor time, or some seconds after its n-th change of files."""

    processor_seconds: float | None = None
    change: int | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit code (-9: killed), what it said, changes of files, and processor time in seconds."""

    code: int
    said: str
    changes: int
    processor_seconds: float


@dataclass(frozen=True)
class Places:
    """The folders of a trial."""

    outputs: Path
    cache: Path
    temporary: Path

    @classmethod
    def below(cls, folder: Path) -> "Places":
        """Three folders, not made yet."""
        return cls(folder / "out", folder / "cache", folder / "tmp")

    def empty(self) -> None:
        """Makes the folders, or empties them."""
        for folder in vars(self).values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)


def run(job: Job, inputs: Path, places: Places, kill: Kill | None = None) -> Ended:
    """Runs a job, and kills it if it has not ended before the moment."""
    os.environ["QPEFT_CACHE"] = str(places.cache)
    reading, writing = os.pipe()
    fork = Fork(command(job, inputs, places.outputs), lambda: _prepare(job, places, writing))
    os.close(writing)
    changes, seconds = 0, 0.0
    while True:
        if select([reading], [], [], _POLL_SECONDS)[0]:
            if not (seen := os.read(reading, 1)):
                break
            changes += len(seen)
            if kill is not None and changes == kill.change:
                time.sleep(kill.delay)
                os.kill(fork.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            seconds = max(seconds, _processor_seconds(fork.pid))
        if kill is not None and kill.processor_seconds is not None and seconds >= kill.processor_seconds:
            os.kill(fork.pid, signal.SIGKILL)
    os.close(reading)
    code, said = fork.end()
    return Ended(code, said, changes, seconds)


def _processor_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)  # Linux's number for the clock of all threads of a process


def _prepare(job: Job, places: Places, writing: int) -> None:
    """In the process of a job: writes a byte for each change of files, before it happens."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(places.temporary)
    if job.large:
        from pyserini_qpeft.cli import texts
        from pyserini_qpeft.data import stored_run

        stored_run.KEPT_IN_MEMORY_BYTES = texts.KEPT_IN_MEMORY_BYTES = 0
    watched = tuple(str(folder) for folder in vars(places).values())

    def report(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            path, changes = arguments[0] if arguments else None, event in _CHANGES
        if changes and isinstance(path, str | os.PathLike) and str(path).startswith(watched):
            os.write(writing, b".")

    sys.addaudithook(report)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def difference(job: Job, expected: dict[str, bytes], found: dict[str, bytes]) -> str:
    """What differs from an undisturbed run; empty if nothing does."""
    if expected.keys() != found.keys():
        return f"files {sorted(found)} instead of {sorted(expected)}"
    equal = equal_but_for_rounding if job.rounded else bytes.__eq__
    other = [name for name in expected if name.endswith(job.compared) and not equal(expected[name], found[name])]
    return f"other content: {', '.join(other)}" if other else ""


def equal_but_for_rounding(one: bytes, other: bytes) -> bool:
    """Whether two files have the same words, and numbers that differ by 1e-5 at most."""
    left, right = one.split(), other.split()
    return len(left) == len(right) and all(map(_near, left, right))


def _near(one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    with contextlib.suppress(ValueError):
        return math.isclose(float(one), float(other), rel_tol=0, abs_tol=1e-5)
    return False


def names(places: Places) -> set[str]:
    """The files and folders in the cache and among the temporary files."""
    return {
        str(path.relative_to(folder.parent))
        for folder in (places.cache, places.temporary)
        for path in folder.rglob("*")
    }


@dataclass
class Count:
    """Figures of one job.

    Attributes:
        kills: Processes that were killed.
        trials: Outputs that were compared.
        identical: Those that are equal to that of an undisturbed run.
        ended_before: Processes that had ended before the moment of their kill.
        failures: What differs.
    """

    kills: int = 0
    trials: int = 0
    identical: int = 0
    ended_before: int = 0
    failures: list[str] = field(default_factory=list)


class Trials:
    """Trials of one job.

    Args:
        job: The job.
        inputs: Folder of its inputs.
        folder: An empty folder.
        rng: Draws the moments.

    Raises:
        RuntimeError: The undisturbed run fails.
    """

    def __init__(self, job: Job, inputs: Path, folder: Path, rng: random.Random) -> None:
        self._job, self._inputs, self._rng = job, inputs, rng
        self._places = Places.below(folder)
        self._places.empty()
        self._whole = run(job, inputs, self._places)
        if self._whole.code:
            raise RuntimeError(f"{job.name}: the undisturbed run ended with {self._whole.code}: {self._whole.said}")
        self._expected, self._names = contents(self._places.outputs), names(self._places)

    def one(self, count: Count) -> None:
        """Kills the job up to three times, lets it end, and compares."""
        job, inputs, places = self._job, self._inputs, self._places
        places.empty()
        kills: list[Kill] = []
        for _ in range(self._rng.randint(1, KILLS_IN_A_TRIAL)):
            kills.append(self._draw())
            ended = run(job, inputs, places, kills[-1])
            if ended.code != -signal.SIGKILL:
                count.ended_before += 1
                break
            count.kills += 1
        else:
            # The process may have written its output just before it was killed. Some jobs refuse to write it again.
            whole = contents(places.outputs) == self._expected and names(places) == self._names
            ended = Ended(0, "", 0, 0.0) if whole else run(job, inputs, places)
        wrong = difference(job, self._expected, contents(places.outputs))
        if not wrong and (other := names(places) ^ self._names):
            wrong = f"other files in the cache or among the temporary ones: {', '.join(sorted(other))}"
        if wrong:
            count.failures.append(f"{kills}: {wrong}; ended with {ended.code}: {ended.said[-500:]}")
        count.trials += 1
        count.identical += not wrong

    def _draw(self) -> Kill:
        if self._whole.changes and self._rng.random() < 0.5:
            return Kill(
                change=self._rng.randint(1, self._whole.changes), delay=self._rng.choice((0, 1)) * self._delay()
            )
        return Kill(processor_seconds=self._rng.uniform(0, self._whole.processor_seconds))

    def _delay(self) -> float:
        return self._rng.uniform(0, _LONGEST_DELAY)


def import_what_is_needed(job: Job, inputs: Path, folder: Path) -> None:
    """Imports the modules that a job imports, so that its processes have them. Those that start Java are left out."""
    reading, writing = os.pipe()
    places = Places.below(folder)
    places.empty()
    os.environ["QPEFT_CACHE"] = str(places.cache)
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        from pyserini_qpeft.cli.__main__ import main

        code = main(command(job, inputs, places.outputs))
        with os.fdopen(writing, "w") as file:
            file.write("\n".join(sys.modules))
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        modules = file.read().split()
    os.wait()
    for module in modules:
        if not module.startswith(("jnius", "pyserini.", "__mp_main__")) and module not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)


def compute_what_is_kept() -> None:
    """Fills the tables that transformers and this package compute once in a process: most of the time of a small job."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    from pyserini_qpeft.models.registry import models

    get_checkpoint_conversion_mapping("llama")
    models()


def use_java_that_starts_quickly() -> None:
    """Looks for Java once, and sets options of Java that suit processes of a second."""
    from pyserini_qpeft.lucene import jvm

    java = jvm.find_java()
    jvm.find_java = lambda: java
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kills every job; prints the figures and writes them as JSON."""
    every = sum(job.share for job in JOBS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=every, help=f"kills in all (default: {every})")
    parser.add_argument("--jobs", nargs="+", choices=[job.name for job in JOBS], help="jobs to kill (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="file for the figures (JSON); those that it has are continued"
    )
    given = parser.parse_args(arguments)
    jobs = [job for job in JOBS if given.jobs is None or job.name in given.jobs]
    counts = {job.name: Count() for job in jobs}
    if given.report and given.report.exists():
        counts |= {name: Count(**one) for name, one in json.loads(given.report.read_text()).items()}
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    compute_what_is_kept()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "in")
        inputs.mkdir()
        writer = multiprocessing.get_context("fork").Process(target=write_inputs, args=(inputs,))
        writer.start()  # in a process of its own, because it starts threads
        writer.join()
        if any(job.name.startswith("search") for job in jobs):
            use_java_that_starts_quickly()
            job = Job("index", "index --corpus {in}/corpus.jsonl --index {in}/index --quiet")
            run(job, inputs, _emptied(Path(folder, "index")))
        for place, job in enumerate(jobs):
            work = Path(folder, str(place))
            import_what_is_needed(job, inputs, work)
            gc.freeze()
            count = counts.setdefault(job.name, Count())
            share = math.ceil(job.share * given.kills / sum(one.share for one in jobs))
            trials = Trials(job, inputs, work, random.Random(given.seed + place + 1000 * count.trials))
            while count.kills < share:
                trials.one(count)
                if given.report:
                    text = json.dumps({name: asdict(one) for name, one in counts.items()}, indent=1)
                    given.report.write_text(text + "\n")
            print(f"{job.name}: {count.kills} kills, {count.identical} of {count.trials} outputs identical", flush=True)
            print(*count.failures, sep="\n", end="\n" if count.failures else "", flush=True)
    kills, trials_made = sum(one.kills for one in counts.values()), sum(one.trials for one in counts.values())
    print(f"{kills} kills, {sum(one.identical for one in counts.values())} of {trials_made} outputs identical")
    return int(any(one.failures for one in counts.values()))


def _emptied(folder: Path) -> Places:
    places = Places.below(folder)
    places.empty()
    return places


if __name__ == "__main__":
    sys.exit(main())
