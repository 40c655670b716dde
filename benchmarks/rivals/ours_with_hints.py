"""This package with retrieved hints (Q-PEFT-R)."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival("ours-R", against="ours-R", load=lambda place: loaded(reranker(place, "retrieval")))
