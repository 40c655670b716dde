"""Every recipe under docs/extend/ works: a copy of the package is changed as the page says, and its check passes.

A page holds fenced blocks with a title. A block titled with a new file is the whole file. A block titled with an
existing file begins with `# add below: LINE`, and its other lines are added below that line. The block titled
`check.py` is run at the end, offline, with the changed copy as the package.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import pyserini_qpeft

ROOT = Path(__file__).parents[2]
PACKAGE = Path(pyserini_qpeft.__file__).parent
PAGES = sorted((ROOT / "docs" / "extend").glob("*.md"))
CHECK = "check.py"
_BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_ADD_BELOW = re.compile(r"^\s*# add below: (.*)$", re.MULTILINE)

_OFFLINE = """
import os, runpy, sys

def refuse(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        raise OSError(f"a recipe connects to {arguments[1]}: recipes work offline")

sys.addaudithook(refuse)
import pyserini_qpeft
assert pyserini_qpeft.__file__.startswith(os.getcwd()), pyserini_qpeft.__file__
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class RecipeError(Exception):
    """A page cannot be followed."""


@dataclass(frozen=True)
class Block:
    """A titled block of a page: `file` is the title, `content` the lines between the fences."""

    file: str
    content: str


def titled_blocks(page: str) -> list[Block]:
    return [Block(file, content) for _, file, content in _BLOCK.findall(page)]


def follow(page: str, tree: Path) -> None:
    """Apply the blocks of a page to a tree, in their order."""
    blocks = titled_blocks(page)
    if [block.file for block in blocks].count(CHECK) != 1:
        raise RecipeError(f"a page needs one block titled {CHECK}")
    for block in blocks:
        file = tree / block.file
        if not file.resolve().is_relative_to(tree.resolve()):
            raise RecipeError(f"{block.file} is outside the tree")
        if file.exists():
            file.write_text(added(file.read_text(), block))
        elif _ADD_BELOW.search(block.content):
            raise RecipeError(f"{block.file} does not exist: nothing can be added to it")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.content)


def added(text: str, block: Block) -> str:
    """The text of an existing file with the lines of a block, each group below the line that it names."""
    before, *groups = _ADD_BELOW.split(block.content)
    if before.strip() or not groups:
        raise RecipeError(f"{block.file} exists: its block must begin with '# add below: LINE'")
    lines = text.splitlines(keepends=True)
    for anchor, new in zip(groups[::2], groups[1::2], strict=True):
        places = [place for place, line in enumerate(lines, start=1) if line.strip() == anchor.strip()]
        if len(places) != 1:
            raise RecipeError(f"{block.file} has {len(places)} lines {anchor.strip()!r}, not one")
        lines.insert(places[0], new.removeprefix("\n"))
    return "".join(lines)


def copy_of_the_package(folder: Path) -> Path:
    """A copy of the package in a folder; the model files in it are links."""
    copy = folder / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "resources"))
    (copy / "resources").symlink_to(PACKAGE / "resources")
    return folder


def run_check(tree: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    command = [sys.executable, "-c", _OFFLINE, CHECK]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_recipe_works_as_written(page: Path, tmp_path: Path) -> None:
    tree = copy_of_the_package(tmp_path)
    follow(page.read_text(), tree)
    done = run_check(tree)
    assert done.returncode == 0, f"{page.name}: {done.stdout}{done.stderr}"


def test_every_recipe_is_in_the_table_of_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [page.name for page in PAGES if f"(docs/extend/{page.name})" not in text] == []


MADE_UP = '''# Add a greeting

```python title="pyserini_qpeft/greetings/moin.py"
"""A greeting."""

MOIN = "Moin"
```

```python title="pyserini_qpeft/errors.py"
# add below: class QPeftError(Exception):
    greeting = "from below"
```

Not part of the recipe:

```python
raise SystemExit("this block has no title")
```

```python title="check.py"
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.greetings.moin import MOIN

assert MOIN == "Moin"
assert QPeftError.greeting == "from below"
```
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package that is quick to copy: one class."""
    (tmp_path / "pyserini_qpeft").mkdir()
    (tmp_path / "pyserini_qpeft" / "__init__.py").touch()
    (tmp_path / "pyserini_qpeft" / "errors.py").write_text("class QPeftError(Exception):\n    pass\n")
    return tmp_path


def test_a_made_up_recipe_is_followed(tree: Path) -> None:
    follow(MADE_UP, tree)
    done = run_check(tree)
    assert done.returncode == 0, done.stderr
    assert (tree / "pyserini_qpeft" / "errors.py").read_text() == (
        'class QPeftError(Exception):\n    greeting = "from below"\n    pass\n'
    )


def test_a_check_that_fails_is_noticed(tree: Path) -> None:
    follow(MADE_UP.replace('== "Moin"', '== "Servus"'), tree)
    done = run_check(tree)
    assert done.returncode != 0
    assert "AssertionError" in done.stderr


def test_a_check_that_needs_a_network_is_noticed(tree: Path) -> None:
    check = "import socket\nsocket.create_connection(('127.0.0.1', 9), timeout=1)"
    follow(f'```python title="check.py"\n{check}\n```\n', tree)
    assert "recipes work offline" in run_check(tree).stderr


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (MADE_UP.replace('title="check.py"', ""), "one block titled check.py"),
        (MADE_UP.replace("# add below: class", "# add below: def"), "has 0 lines"),
        (MADE_UP.replace("# add below: class QPeftError(Exception):\n", ""), "must begin with"),
        (MADE_UP.replace("greetings/moin.py", "../../moin.py"), "outside the tree"),
        (MADE_UP.replace("errors.py", "mistakes.py"), "nothing can be added to it"),
    ],
)
def test_a_page_that_cannot_be_followed_says_why(page: str, complaint: str, tree: Path) -> None:
    with pytest.raises(RecipeError, match=complaint):
        follow(page, tree)


def test_two_groups_of_one_block_go_below_their_own_lines() -> None:
    block = Block("a.py", "# add below: one\nONE\n# add below:     two\n    TWO\n")
    assert added("one\n    two\nthree\n", block) == "one\nONE\n    two\n    TWO\nthree\n"
