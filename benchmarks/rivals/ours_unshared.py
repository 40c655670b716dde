"""This package where no two queries have a passage in common: each pair reads its own."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival("ours, unshared", against="ours", load=lambda place: loaded(reranker(place, share_passages=False)))
