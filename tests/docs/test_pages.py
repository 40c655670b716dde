"""The pages of the documentation are true: what they show runs, and options and names that they mention exist."""

import argparse
import ast
import re
import runpy
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from blocks import ROOT, fenced, run_python, run_shell

SCRIPT = runpy.run_path(str(ROOT / "docs" / "scripts" / "pages.py"))
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/extend/*.md"),
        *ROOT.glob("docs/service/*.md"),
        ROOT / "benchmarks/README.md",
    ]
)
OTHERS_OPTIONS = {
    *("--alpha", "--batch-size", "--bm25", "--help", "--no-deps", "--normalization", "--prcl", "--qpeft"),
    *("--remove-query", "--threads"),
}
"""Options of other programs (Pyserini, pip) that the pages mention, and the prefix of ours in `qpeft search`."""

FAISS_OPTIONS = {"--encoder", "--encoder-class", "--pooling", "--l2-norm"}
"""Options of Pyserini's faiss program, which `qpeft index --dense` has too."""

every_page = pytest.mark.parametrize("page", PAGES)


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    made = {}
    for name, module in SCRIPT["commands"]().items():
        made[name] = argparse.ArgumentParser(prog=f"qpeft {name}", allow_abbrev=False, exit_on_error=False)
        module.add_arguments(made[name])
    return made


def test_the_quick_start_runs_as_pasted(tmp_path: Path) -> None:
    page = "docs/quickstart.md"
    run_shell([block for block in fenced(page, "sh") if not block.startswith("pip")], tmp_path)
    assert (tmp_path / "reranked-later.txt").read_text() == (tmp_path / "reranked.txt").read_text()
    *hits, scores = run_python("".join(fenced(page, "python")), tmp_path).splitlines()
    assert {line.split()[1] for line in hits} >= {"green"}
    relevant, other = (float(score) for score in re.findall(r"-\d+\.\d+", scores))
    assert relevant > other


@every_page
def test_commands_of_a_page_parse(page: str) -> None:
    known = parsers()
    for block in fenced(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("qpeft ") and not line.startswith("qpeft --"):
                _, command, *arguments = shlex.split(line, comments=True)
                own = arguments
                if command == "search":  # before the sections of hybrid search, and in the last of them
                    own, _ = import_module("pyserini_qpeft.cli.search").split(arguments)[1:]
                _, others = known[command].parse_known_args(own)
                unknown = {word for word in others if word.startswith("-")}
                assert not unknown or (command == "search" and unknown <= OTHERS_OPTIONS | FAISS_OPTIONS), line


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("CHANGELOG.md", "benchmarks/README.md")])
def test_options_that_a_page_mentions_exist(page: str) -> None:
    """CHANGELOG names options that are gone, and the benchmarks have their own."""
    known = {flag for parser in parsers().values() for action in parser._actions for flag in action.option_strings}
    mentioned = set(re.findall(r"`(--[a-z][a-z.-]*[a-z])", (ROOT / page).read_text()))
    assert mentioned <= known | OTHERS_OPTIONS


def imported(module: str) -> ModuleType:
    """A module of the package; skips if it is the interface of a library that is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        pytest.skip(str(error))


@every_page
def test_names_that_a_page_imports_exist(page: str) -> None:
    for block in fenced(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyserini_qpeft"):
                module = imported(node.module or "")
                for name in node.names:
                    assert hasattr(module, name.name), f"{node.module}.{name.name}"


@every_page
def test_links_of_a_page_lead_to_files(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s:#]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_page_of_the_command_line_has_every_option() -> None:
    page = SCRIPT["command_line"]()
    for name, parser in parsers().items():
        section = page.split(f"## qpeft {name}\n")[1].split("\n## qpeft ")[0]
        for action in parser._actions:
            for flag in set(action.option_strings) - {"-h", "--help"}:
                assert f"`{flag}" in section, f"{name} {flag}"


def test_the_pages_of_the_api_have_every_public_name() -> None:
    import pyserini_qpeft

    page = SCRIPT["api_pages"]()["api/reranking.md"]
    assert re.findall(r"^::: pyserini_qpeft\.(\w+)$", page, re.MULTILINE) == pyserini_qpeft.__all__
    assert "| `share_passages` | `True` |" in page


@pytest.mark.parametrize(
    ("uri", "source", "link", "expected"),
    [
        ("index.md", "README.md", "[a](docs/method.md)", "[a](method.md)"),
        ("index.md", "README.md", "![a](docs/images/b.svg)", "![a](images/b.svg)"),
        ("extend/loss.md", "docs/extend/loss.md", "[a](../../ARCHITECTURE.md#x)", "[a](../architecture.md#x)"),
        ("results.md", "RESULTS.md", "[a](results/plain.md)", "[a](results/plain.md)"),
        ("index.md", "README.md", "[a](ARCHITECTURE.md#glossary)", "[a](glossary.md)"),
        ("index.md", "README.md", "[a](LICENSE)", "a"),
        ("index.md", "README.md", "[a](nowhere.md)", "[a](nowhere.md)"),
        ("index.md", "README.md", "[a](https://example.org/b)", "[a](https://example.org/b)"),
        ("index.md", "README.md", "```python\nx[a](LICENSE)\n```", "```python\nx[a](LICENSE)\n```"),
    ],
)
def test_links_of_the_tree_become_links_of_the_site(uri: str, source: str, link: str, expected: str) -> None:
    assert SCRIPT["relinked"](link, uri, source) == expected


@pytest.mark.parametrize(
    ("html", "addresses"),
    [
        ('<script src="https://cdn.example/a.js">', ["https://cdn.example/a.js"]),
        ("<link rel=stylesheet href=//fonts.example/b.css>", ["//fonts.example/b.css"]),
        ('<script src="assets/a.js"></script><a href="https://arxiv.org/abs/2404.04522">paper</a>', []),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(html: str, addresses: list[str]) -> None:
    assert SCRIPT["loaded_from_elsewhere"](html) == addresses
