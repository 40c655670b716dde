"""Inputs of the jobs of the kill harness, and small or read-only disks."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

Disk = Callable[..., Path]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of the kill harness."""
    from jobs import write_inputs

    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the tests' own."""
    monkeypatch.setenv("QPEFT_CACHE", str(inputs / "cache"))


@pytest.fixture(scope="session")
def expected(inputs: Path) -> Callable[[str], dict[str, bytes]]:
    """The files of an undisturbed run of a job, by the name of the job."""
    from forks import command, run
    from jobs import JOBS
    from kills import contents

    def of(name: str) -> dict[str, bytes]:
        (job,) = (one for one in JOBS if one.name == name)
        whole = inputs / "whole" / name
        if not whole.exists():
            whole.mkdir(parents=True)
            code, said = run(command(job, inputs, whole))
            assert code == 0, said
        return contents(whole)

    return of


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mounts small disks in memory; skips where that is not permitted. Options are those of `mount -t tmpfs`."""
    mounted: list[Path] = []

    def mount(name: str = "disk", **options: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        words = ",".join(f"{option}={value}" for option, value in options.items())
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", words, "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount a disk: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    if sys.platform != "linux":
        pytest.skip("needs Linux's tmpfs")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def read_only_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder that cannot be written to. Permissions do not stop root, for whom it is a read-only disk."""

    def make(fill: Callable[[Path], object] = lambda folder: None) -> Path:
        if not os.geteuid():
            folder = request.getfixturevalue("disk")("read-only")
            fill(folder)
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            return Path(folder)
        folder = tmp_path / "read-only"
        folder.mkdir()
        fill(folder)
        places = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        for place in places:
            place.chmod(0o555)
            request.addfinalizer(lambda place=place: place.chmod(0o755))
        return folder

    return make
