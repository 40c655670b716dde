"""Nothing in the tree runs code that a file or a user brings."""

import ast
from pathlib import Path

import pytest
from imports import ROOT

FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load",
    "pickle.load", "pickle.loads", "torch.load", "joblib.load", "marshal.loads", "numpy.load", "np.load",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FOLDERS = ("pyserini_qpeft", "recipes", "benchmarks", "notebooks", "docs/scripts")
OWN_PIPE = ROOT / "pyserini_qpeft/service/frames.py"
"""Pickles between the service and the processes that it has started itself, through pipes that nobody else can open."""

FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def risks(source: str) -> list[str]:
    """The calls and imports of a module that could run code from its input, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            arguments = {one.arg: ast.unparse(one.value) for one in node.keywords}
            safe = name == "torch.load" and arguments.get("weights_only") == "True"  # tensors and plain values only
            if (name in FORBIDDEN_CALLS and not safe) or arguments.get("shell") == "True":
                found.append(f"{node.lineno}: {name}")
            if arguments.get("trust_remote_code") == "True" or arguments.get("weights_only") == "False":
                found.append(f"{node.lineno}: {name} trusts a file")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [
                f"{node.lineno}: import {module}" for module in modules if module.split(".")[0] in FORBIDDEN_IMPORTS
            ]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_can_run_code_of_its_input(file: Path) -> None:
    found = risks(file.read_text(encoding="utf-8"))
    assert [risk for risk in found if file != OWN_PIPE or "pickle" not in risk] == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)", "import pickle", "from pickle import loads", "yaml.load(f)", "torch.load(f)",
        "subprocess.run(x, shell=True)", "f(trust_remote_code=True)", "torch.load(f, weights_only=False)",
    ],
)  # fmt: skip
def test_the_check_finds_what_it_looks_for(source: str) -> None:
    assert risks(source)


def test_remote_code_is_off_unless_a_user_asks_for_it() -> None:
    from pyserini_qpeft.models.config import ModelConfig

    assert ModelConfig().trust_remote_code is False
