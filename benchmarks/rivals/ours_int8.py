"""This package in 8-bit integers, without hints."""

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Rival

RIVAL = Rival("ours, int8", against="ours", load=lambda place: loaded(reranker(place, quantize="int8")))
