"""The page ranks as reranking/ranking.py does, to the last bit."""

import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.service.page.routes import STATIC

NODE = shutil.which("node")
PROGRAM = """
import { readFileSync } from "node:fs";
const { rankHits } = await import(process.argv[1]);
const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map((one) => rankHits(one.likelihoods, one.firstStage, one.fusion))));
"""


def cases() -> list[dict[str, Any]]:
    """Lists as they come, with ties, large and small numbers, and lists that say nothing."""
    random = np.random.default_rng(7)
    made = []
    for length in (0, 1, 2, 3, 10, 100, 1000):
        for scale in (1e-300, 1e-9, 1.0, 30.0, 1e30):
            first = random.normal(size=length) * scale
            likelihoods = -np.abs(random.normal(3, 2, size=length)).astype(np.float32)
            made.append((first, likelihoods))
            made.append((np.sort(first)[::-1].round(1), likelihoods.round(1)))
    made.append((np.ones(4), np.float32([-1, -2, -1, -3])))
    made.append((np.array([1.0, np.nan, 2.0]), np.float32([-1, -2, -3])))
    made.append((np.array([3.0, 2.0, 1.0]), np.float32([-2, -2, -2])))
    fusions = [{"method": m, "weight": w, "rrf_k": 60} for m in ("zscore", "minmax", "rrf") for w in (0, 0.35, 0.85, 1)]
    fusions += [{"method": "linear", "weight": 0.5, "rrf_k": 60}, None]  # type: ignore[list-item]
    return [
        {
            "depth": depth,
            "likelihoods": [float(score) if place < depth else None for place, score in enumerate(likelihoods)],
            "firstStage": [float(score) if np.isfinite(score) else None for score in first],
            "fusion": fusion,
        }
        for first, likelihoods in made
        for fusion in fusions
        for depth in sorted({0, len(first) // 3, len(first)})
    ]


@pytest.mark.skipif(NODE is None, reason="needs node, which runs the page's rule outside a browser")
def test_the_page_and_the_reranker_have_one_ranking_rule() -> None:
    given = cases()
    command = [str(NODE), "--input-type=module", "--eval", PROGRAM, str(STATIC / "fusion.js")]
    answer = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    for case, page in zip(given, json.loads(answer.stdout), strict=True):
        first = [np.nan if score is None else score for score in case["firstStage"]]
        fusion = case["fusion"] and FusionConfig(**case["fusion"])
        likelihoods = case["likelihoods"][: case["depth"]]
        ranking = rank_hits(likelihoods, first, fusion, depth=case["depth"])
        assert page["order"] == ranking.order
        assert page["scores"] == ranking.scores
        assert page["firstStageUnusable"] == ranking.first_stage_unusable
