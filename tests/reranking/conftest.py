from pathlib import Path

import pytest

from pyserini_qpeft import QPeftReranker, RerankConfig


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    """Ranks by the likelihood alone."""
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", config=RerankConfig(fusion=None))
