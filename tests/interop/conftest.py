"""A tiny reranker and a few passages for every library's interface."""

from pathlib import Path

import pytest

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker

QUERY = "what is the capital of France?"
PASSAGES = {
    "paris": "The capital of France is Paris.",
    "nile": "The Nile, a river that runs through Egypt, is 6,650 km long.",
    "aaron": "Aaron is a prophet, high priest and the brother of Moses.",
    "empty": "",
    "tokyo": "東京は日本の首都です 🗼 — Ω",
    "linda": "Linda Davis sings Does He Love Me with Reba.",
}


@pytest.fixture(scope="session")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    """A bare random-weight model that ranks by its likelihoods."""
    return QPeftReranker.from_pretrained(
        tiny_model_dir, device="cpu", dtype="float32", config=RerankConfig(fusion=None)
    )


@pytest.fixture(scope="session")
def fusing(reranker: QPeftReranker) -> QPeftReranker:
    """The same model, fused with the first stage."""
    return QPeftReranker(reranker.scorer, RerankConfig(fusion=FusionConfig(weight=0.3)))


@pytest.fixture(scope="session")
def best_first(reranker: QPeftReranker) -> list[str]:
    """The docids of the passages in the order of their likelihoods."""
    scores = dict(zip(PASSAGES, reranker.score(QUERY, list(PASSAGES.values())), strict=True))
    order = sorted(PASSAGES, key=lambda docid: -scores[docid])
    assert order != list(PASSAGES), "the order given must not be the right one by chance"
    return order


@pytest.fixture
def passages() -> dict[str, str]:
    return dict(PASSAGES)


@pytest.fixture
def query() -> str:
    return QUERY
