"""This package with retrieved hints (Q-PEFT-R) and its passage cache."""

from benchmarks.rivals.ours_with_cache import load
from benchmarks.rivals.rival import Rival

RIVAL = Rival("ours-R, cache", against="ours-R", load=lambda place: load(place, "retrieval"))
