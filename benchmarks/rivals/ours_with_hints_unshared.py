"""This package with retrieved hints (Q-PEFT-R); each pair reads its own passage."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival(
    "ours-R, unshared",
    against="ours-R",
    load=lambda place: loaded(reranker(place, "retrieval", share_passages=False)),
)
