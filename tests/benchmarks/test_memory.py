"""The watermark sees what comes and goes, and nothing that was there before."""

import os
import time

import numpy as np

from benchmarks.memory import Watermark, in_own_process

MIB = 2**20


def touch(mib: int) -> int:
    held = np.ones(100 * MIB, dtype=np.uint8)
    with Watermark("cpu") as watermark:
        for _ in range(8):
            gone = np.ones(mib * MIB, dtype=np.uint8)
            time.sleep(0.02)  # on a busy machine the thread that looks gets its turn late
            del gone
    assert held[0]
    return watermark.above


def test_memory_that_came_and_went_is_seen() -> None:
    assert 200 * MIB < touch(256) < 300 * MIB


def test_a_process_of_its_own_measures_the_same() -> None:
    assert in_own_process(os.getpid) != os.getpid()
    assert 200 * MIB < in_own_process(touch, 256) < 300 * MIB
