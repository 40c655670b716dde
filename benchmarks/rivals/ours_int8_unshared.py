"""This package in 8-bit integers; each pair reads its own passage."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival(
    "ours, int8, unshared",
    against="ours",
    load=lambda place: loaded(reranker(place, quantize="int8", share_passages=False)),
)
