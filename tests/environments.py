"""Run tests with other versions of other libraries, each set in an environment of its own on top of the present one.

    python tests/environments.py [NAME …]

The environments are kept in build/interop. They see what is installed in the present one, and their own packages first.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Environment:
    """Packages that are installed, and what is tested with them.

    Attributes:
        packages: Arguments of `pip install`.
        tests: Arguments of pytest.
        stubs: A folder of tests/stubs for PYTHONPATH.
    """

    packages: tuple[str, ...]
    tests: tuple[str, ...]
    stubs: str | None = None


ENVIRONMENTS = {
    "newest": Environment(
        (
            "--upgrade",
            *("beir", "haystack-ai", "langchain-classic", "langchain-core", "llama-index-core", "mteb", "pyterrier"),
            *("rank-llm", "rerankers", "sentence-transformers"),
        ),
        ("tests/interop", "tests/docs/test_interop.py"),
    ),
    "pyserini-2.4": Environment(
        ("--no-deps", "pyserini>=2.4,<2.5"),
        (
            "tests/candidates",
            "tests/cli/test_rerank.py",
            "tests/cli/test_rerank_mistakes.py",
            "tests/cli/test_search.py",
            "tests/docs/test_pipeline.py",
            "tests/interop/test_pyserini_prcl.py",
            "tests/lucene",
            "tests/reranking/test_searcher.py",
            "tests/test_readme.py",
            "tests/training/test_mining.py",
        ),
        stubs="pyserini_2_4",
    ),
}


def python_of(name: str) -> Path:
    """Make an environment, or bring it up to date, and return its Python."""
    folder = ROOT / "build" / "interop" / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True, symlinks=True)
    own = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    Path(own, "present_environment.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *ENVIRONMENTS[name].packages], check=True)
    return python


def main(names: list[str]) -> int:
    """Run the tests in each environment; return whether any of them failed."""
    failed = []
    for name in names:
        environment = ENVIRONMENTS[name]
        path = [str(ROOT)] + ([str(ROOT / "tests" / "stubs" / environment.stubs)] if environment.stubs else [])
        python = python_of(name)
        print(f"== {name}: {' '.join(environment.packages)}", flush=True)
        command = [str(python), "-m", "pytest", *environment.tests]
        if subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(ENVIRONMENTS)))
