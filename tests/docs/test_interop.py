"""Each example on the page of interfaces runs with its library, prints what its comments say, and is short."""

import contextlib
import io
import re
import runpy
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from blocks import ROOT

INTERFACES = runpy.run_path(str(ROOT / "docs" / "scripts" / "tables.py"))["INTERFACES"]
BEFORE, *SECTIONS = (ROOT / "docs" / "interop.md").read_text().split("\n## ")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = {section.splitlines()[0]: BLOCK.findall(section) for section in SECTIONS}


@pytest.fixture(scope="module")
def beginning() -> dict[str, Any]:
    """The names that every example begins with."""
    names: dict[str, Any] = {}
    (block,) = BLOCK.findall(BEFORE)
    exec(block, names)
    return names


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Nothing is sent, and files are written into a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "mteb"))


@pytest.fixture
def local_task(offline, monkeypatch):
    """Gives the task of mteb's example two passages in place of those that it would download."""
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    retrieval = pytest.importorskip("mteb.abstasks.retrieval", reason="needs mteb (the extra mteb)")

    def load(task, *_, **__):
        (name,) = task.metadata.eval_splits
        split = {
            "corpus": datasets.Dataset.from_list([{"id": one, "title": "", "text": "sudo"} for one in ("1", "2")]),
            "queries": datasets.Dataset.from_list([{"id": "q", "text": "who may?"}]),
            "relevant_docs": {"q": {"1": 1}},
            "top_ranked": {"q": ["1", "2"]},
        }
        task.dataset = {"default": {name: split}}
        task.data_loaded = True

    monkeypatch.setattr(retrieval.AbsTaskRetrieval, "load_data", load)


def run(blocks: list[str], names: dict[str, Any]) -> list[str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(block, names)
    return printed.getvalue().splitlines()


def test_every_interface_has_an_example() -> None:
    assert [name for name, blocks in EXAMPLES.items() if blocks] == list(INTERFACES)


@pytest.mark.parametrize("name", INTERFACES)
def test_an_example_prints_what_it_says(name, beginning, offline, request) -> None:
    distribution = INTERFACES[name].distribution
    try:
        version(distribution or "pyserini-qpeft")
    except PackageNotFoundError:
        pytest.skip(f"needs {distribution} (the extra {INTERFACES[name].extra})")
    if name == "mteb":
        request.getfixturevalue("local_task")
    blocks = EXAMPLES[name]
    said = re.findall(r"^print\(.*?  # (.*)$", "".join(blocks), re.MULTILINE)
    assert said
    assert run(blocks, dict(beginning))[-len(said) :] == said


@pytest.mark.parametrize("name", INTERFACES)
def test_an_example_has_ten_lines_at_most(name) -> None:
    assert len([line for block in EXAMPLES[name] for line in block.splitlines() if line]) <= 10
