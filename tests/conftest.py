"""What every test may lean on: no network, the shared collections where this machine has them, a tiny model."""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests run one process a core: a second thread in each would only wait for the others'.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# torch's cache of compiled code does not know that kernels are limited, and gives code that was compiled without limits.
if limited := os.environ.get("ATEN_CPU_CAPABILITY"):
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir(), f"torchinductor-{limited}")))
sys.path.insert(0, str(Path(__file__).parent))

# How long an example takes says more of the machine's load than of the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

InThreads = Callable[[list[Callable[[], Any]]], list[Any]]

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared collections and models beside the project; skips where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"needs the shared collections, and {SHARED.name}/data is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random-weight Llama of two layers (width 32) and its tokenizer."""
    from tiny import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def cacm_index(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Lucene index that Anserini's authors made: HTML as raw text."""
    import tarfile

    folder = tmp_path_factory.mktemp("cacm")
    with tarfile.open(shared / "data" / "cacm" / "lucene9-index.cacm.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "lucene9-index.cacm"


@pytest.fixture(scope="session")
def shared_index(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the index of a shared collection, once, and gives its folder."""
    from pyserini_qpeft.lucene import build_index

    @cache
    def build(collection: str) -> Path:
        folder = tmp_path_factory.mktemp("indexes") / collection
        build_index(shared / "data" / collection, folder)
        return folder

    return build


@pytest.fixture
def in_threads() -> Iterator[InThreads]:
    """Runs calls in one thread each, all started at the same moment, and gives their results in order.

    Python switches threads as often as it can meanwhile, so that races show.
    """

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(calls))

        def started(call: Callable[[], Any]) -> Any:
            start.wait()
            return call()

        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(started, call) for call in calls]]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield run
    sys.setswitchinterval(interval)
