"""The collection is this Python's documentation, whole, under the names that people type."""

import json
import os
import subprocess
import sys

import pytest

from pyserini_qpeft.demo.collection import read_documentation

# Asks Python's own help system for every name of the collection on standard input.
_ASK_PYDOC = """
import inspect, json, pydoc, sys, warnings
warnings.simplefilter("ignore")
for line in sys.stdin:
    document = json.loads(line)
    try:
        found = inspect.getdoc(pydoc.locate(document["_id"]))
    except Exception:
        found = None
    if (found or "").strip() != document["text"]:
        print(document["_id"])
"""


@pytest.fixture(scope="module")
def documentation() -> str:
    return read_documentation()


@pytest.fixture(scope="module")
def texts(documentation: str) -> dict[str, str]:
    return {entry["_id"]: entry["text"] for entry in map(json.loads, documentation.splitlines())}


def test_thousands_of_names_each_once(documentation: str, texts: dict[str, str]) -> None:
    assert len(texts) == len(documentation.splitlines())
    assert 5000 < len(texts) < 10000
    assert list(texts) == sorted(texts)


def test_help_shows_the_same_text_under_the_same_name(documentation: str, texts: dict[str, str]) -> None:
    program = [sys.executable, "-I", "-S", "-c", _ASK_PYDOC]
    done = subprocess.run(program, input=documentation, capture_output=True, text=True, check=True)
    # Metaclasses and modules hide a handful of names from `help("…")`, such as enum.Enum.name.
    assert len(done.stdout.splitlines()) <= len(texts) // 500, done.stdout


def test_only_public_names_and_nothing_empty(documentation: str) -> None:
    for line in documentation.splitlines():
        entry = json.loads(line)
        assert not any(part.startswith("_") for part in entry["_id"].split(".")), entry["_id"]
        assert entry["title"].startswith(entry["_id"])
        assert entry["text"].strip() == entry["text"] != ""
        assert " at 0x" not in entry["title"]


@pytest.mark.parametrize(
    "name",
    [
        "os.path.join",
        "str.split",
        "print",
        "json.dumps",
        "json.JSONDecoder",
        "collections.deque.appendleft",
        "functools.lru_cache",
        "random.choice",
        "OSError",
        "pathlib.PurePath.suffix",
        "asyncio.gather",
        "re.Pattern.findall",
        "datetime.datetime.strptime",
        "math.gcd",
        "itertools.chain.from_iterable",
        "multiprocessing.Pool",
    ],
)
def test_the_name_that_people_use(texts: dict[str, str], name: str) -> None:
    assert name in texts


@pytest.mark.parametrize(
    "name",
    [
        "posixpath.join",
        "builtins.str.split",
        "json.decoder.JSONDecoder",
        "_collections.deque",
        "random.Random.choice",
        "IOError",
        "pathlib.Path.suffix",
        "asyncio.tasks.gather",
        "this",
        "antigravity",
        "idlelib",
    ],
)
def test_no_second_name_and_no_module_that_acts_when_imported(texts: dict[str, str], name: str) -> None:
    assert name not in texts


def test_fields_and_enumerations_without_words_of_their_own_are_left_out(texts: dict[str, str]) -> None:
    assert not [name for name, text in texts.items() if text.startswith(("Alias for field", "An enumeration."))]
    assert "urllib.parse.urlsplit" in texts


def test_neither_hashes_nor_the_machine_show_in_it(documentation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_THIS_MACHINE", "hunter2")
    monkeypatch.setattr(sys, "executable", os.path.realpath(sys.executable))
    assert read_documentation() == documentation  # a new process, so another hash seed too


def test_titles_show_how_a_thing_is_called(documentation: str) -> None:
    titles = {entry["_id"]: entry["title"] for entry in map(json.loads, documentation.splitlines())}
    assert titles["os.path.splitext"] == "os.path.splitext(p)"
    assert titles["str.split"] == "str.split(sep=None, maxsplit=-1)"
    assert titles["random.choice"] == "random.choice(seq)"
    assert "cls=None" in titles["json.dumps"]
    assert titles["subprocess.run"].startswith("subprocess.run(*popenargs, input=None,")
    assert titles["os.path"] == "os.path"


def test_reading_imports_nothing_here() -> None:
    before = set(sys.modules)
    read_documentation()
    assert not {"turtle", "pdb", "wsgiref", "mailbox", "antigravity"} & (set(sys.modules) - before)
