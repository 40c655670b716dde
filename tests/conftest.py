"""What every test may lean on: the shared collections, where this machine has them."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared collections and models beside the project; skips where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"needs the shared collections, and {SHARED.name}/data is not beside the project")
    return SHARED
