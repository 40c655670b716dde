from pathlib import Path

import pytest

from benchmarks.sizes import SIZES, ModelFolders


@pytest.fixture(scope="session")
def tiny_place(tmp_path_factory: pytest.TempPathFactory) -> ModelFolders:
    """Folders of the tiny random-weight model, in float32 on the CPU."""
    return ModelFolders(SIZES["tiny"], "float32", "cpu", Path(tmp_path_factory.mktemp("models")))
