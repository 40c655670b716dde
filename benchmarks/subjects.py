"""The function that measures the memory of a way of scoring, in a separate process."""

from benchmarks.memory import Watermark
from benchmarks.rivals import rival
from benchmarks.rivals.rival import Pairs
from benchmarks.sizes import ModelFolders


def peak_of_scoring(name: str, place: ModelFolders, pairs: Pairs) -> int:
    """Returns the peak memory in bytes, above the loaded model, while a way of scoring scores pairs."""
    loaded = rival(name).load(place)
    with Watermark(place.device, [loaded.model]) as watermark:
        loaded.score(pairs)
    return watermark.above
