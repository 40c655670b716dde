"""What is done in a process of its own: load a way of scoring, and watch its memory while it works."""

from benchmarks.memory import Watermark
from benchmarks.rivals import rival
from benchmarks.rivals.rival import Pairs
from benchmarks.sizes import ModelFolders


def peak_of_scoring(name: str, place: ModelFolders, pairs: Pairs) -> int:
    """Bytes above the loaded model that a rival takes at its highest while it scores pairs."""
    loaded = rival(name).load(place)
    with Watermark(place.device, [loaded.model]) as watermark:
        loaded.score(pairs)
    return watermark.above
