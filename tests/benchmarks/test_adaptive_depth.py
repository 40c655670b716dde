"""The table of adaptive depth counts what was not read, and compares it with a fixed depth that reads as much."""

import numpy as np

from benchmarks.adaptive_depth import HEADS, cut, row
from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.evaluation.sweep import TwoStageHit
from pyserini_qpeft.reranking.fusion import FusionConfig

FUSION = FusionConfig(weight=0.6)


def lists(count: int) -> dict[str, list[TwoStageHit]]:
    draw = np.random.default_rng(0)
    return {
        f"q{n}": [TwoStageHit(f"d{i}", 30.0 - i, float(draw.normal(-5 - i / 20, 1))) for i in range(20)]
        for n in range(count)
    }


def test_a_row_has_a_cell_for_each_head_and_a_rule_that_never_stops_changes_nothing() -> None:
    never = StoppingRule(1.0, -2.0, 0.0, 0.0, -1.0, k=3)
    cells = row("mine", lists(6), {f"q{n}": {f"d{n}": 1} for n in range(4)}, never, FUSION)
    assert len(cells) == len(HEADS)
    assert cells[:5] == ["mine", "4", "80", "0%", "0.000"]
    assert cells[7] == "+0.0000 ± 0.0000"
    assert cells[8] == "20"


def test_a_shallower_cut_reads_less_and_changes_more() -> None:
    run = lists(10)
    cuts = [cut(run, dict.fromkeys(run, depth), FUSION, 5) for depth in (5, 10, 20)]
    assert [one.read for one in cuts] == [50, 100, 200]
    assert cuts[0].changed > cuts[1].changed > cuts[2].changed == 0
