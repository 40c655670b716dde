"""This package without hints; each pair reads its own passage, as if no two queries had a passage in common."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival("ours, unshared", against="ours", load=lambda place: loaded(reranker(place, share_passages=False)))
