"""This package with retrieved hints (Q-PEFT-R) where no two queries have a passage in common."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival(
    "ours-R, unshared",
    against="ours-R",
    load=lambda place: loaded(reranker(place, "retrieval", share_passages=False)),
)
