"""Pairs of one passage share a row if the model can score them so, and stand alone if it cannot."""

from typing import Any

import numpy as np
import pytest
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.scoring import row_planner
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.packed_rows import why_not_packed
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]


def rows_read(scorer: LikelihoodScorer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs stand in each row that the model reads."""
    forward, counts = scorer.row_scorer.forward, []

    def counting(rows: Any) -> Any:
        counts.extend(len(row) for row in rows)
        return forward(rows)

    monkeypatch.setattr(scorer.row_scorer, "forward", counting)
    return counts


@pytest.mark.parametrize("shared", [True, False])
def test_each_passage_is_read_once_unless_sharing_is_off(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(share_passages=shared))
    counts = rows_read(scorer, monkeypatch)
    scorer.score(scorer.sequences([*POOL, ("nile", "a passage of one query alone")]))
    assert sorted(counts) == ([1, *[len(PAIRS)] * len(PAIRS)] if shared else [1] * (len(POOL) + 1))


@pytest.mark.parametrize(
    ("architecture", "settings", "reason"),
    [
        ("bloom", {}, "does not take the mask and positions of packed pairs"),
        ("gemma3", {}, "sliding-window"),
        ("llama", {"hint_position": "prefix"}, "hints stand before the passage"),
    ],
)
def test_a_model_that_cannot_read_packed_pairs_reads_each_pair_alone(
    architecture: str, settings: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = LikelihoodScorer(adapted(architecture, TOKENIZER, variant="retrieval", **settings), TOKENIZER)
    counts = rows_read(scorer, monkeypatch)
    scores = scorer.score(scorer.sequences(POOL))
    assert counts == [1] * len(POOL)
    np.testing.assert_allclose(scores, one_by_one(scorer, POOL), atol=1e-5)
    assert scorer.adapter is not None
    assert reason in (why_not_packed(scorer.model.base_model.model, scorer.adapter, 512) or "")


def one_by_one(scorer: LikelihoodScorer, pairs: list[tuple[str, str]]) -> Any:
    return np.concatenate([scorer.score(scorer.sequences([pair])) for pair in pairs])


def test_the_model_is_tried_once_and_only_when_a_passage_occurs_twice(
    in_threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def trial(*arguments: Any) -> None:
        tried.append(arguments)
        return why_not_packed(*arguments)

    monkeypatch.setattr(row_planner, "why_not_packed", trial)
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER)
    different, shared = scorer.sequences(PAIRS), scorer.sequences(POOL)
    assert scorer.planner.rows(different) == [[[i] for i in range(len(PAIRS))]]
    assert not tried
    plans = in_threads([lambda: scorer.planner.rows(shared)] * 4)
    assert len(tried) == 1
    assert all(plan == plans[0] for plan in plans)
    assert sorted(i for group in plans[0] for row in group for i in row) == list(range(len(POOL)))


def test_a_row_of_one_pair_is_not_mixed_with_packed_rows() -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER)
    single, packed = scorer.planner.rows(scorer.sequences([*POOL, ("nile", "a passage of one query alone")]))
    assert single == [[len(POOL)]]
    assert all(len(row) == len(PAIRS) for row in packed)
