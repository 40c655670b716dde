"""What hints are worth is seen by taking them from elsewhere; nothing else of a pair changes then."""

from typing import Any

import numpy as np
import pytest
from tiny import adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.hint_sources import other_passages
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
PASSAGES = ["Paris is the capital of France", "the river Nile runs through Egypt", "Aaron is a prophet", "Linda Davis"]
PAIRS = [(query, passage) for query in ("what is the capital", "who sings") for passage in PASSAGES]


def scorer(model: Any, **config: Any) -> LikelihoodScorer:
    return LikelihoodScorer(model, TOKENIZER, ScoringConfig(**config))


def test_shuffled_each_passage_gets_another_of_its_query_and_each_is_used_once() -> None:
    donors = other_passages(PAIRS)
    assert other_passages(PAIRS[::-1]) == donors
    for query in {query for query, _ in PAIRS}:
        given = [donors[query, passage] for passage in PASSAGES]
        assert sorted(given) == sorted(PASSAGES)
        assert all(one != passage for one, passage in zip(given, PASSAGES, strict=True))
    assert other_passages([("alone", "text")]) == {("alone", "text"): "text"}


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_shuffled_hints_are_those_of_the_other_passage_and_the_rest_stays(variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant, num_hints=4)
    own, shuffled = scorer(model), scorer(model, hints="shuffled")
    before, after = own.sequences(PAIRS), shuffled.sequences(PAIRS)
    donors = other_passages(PAIRS)
    by_pair = dict(zip(PAIRS, before, strict=True))
    for pair, one, other in zip(PAIRS, before, after, strict=True):
        donor = by_pair[pair[0], donors[pair]]
        np.testing.assert_array_equal(other.hint_ids, donor.hint_ids)
        np.testing.assert_array_equal(other.attended, donor.attended)
        np.testing.assert_array_equal(other.shared_ids, one.shared_ids)
        np.testing.assert_array_equal(other.scored, one.scored)
    assert not np.allclose(own.score(before), shuffled.score(after), atol=1e-4)


def test_random_hints_come_from_the_passage_and_are_the_same_each_time() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval", num_hints=4)
    own, drawn = scorer(model).sequences(PAIRS), scorer(model, hints="random").sequences(PAIRS[::-1])[::-1]
    again = scorer(model, hints="random").sequences(PAIRS)
    assert any(list(one.hint_ids) != list(other.hint_ids) for one, other in zip(own, drawn, strict=True))
    for one, other, third in zip(own, drawn, again, strict=True):
        assert set(other.hint_ids) <= set(one.shared_ids)
        assert len(set(other.hint_ids)) == len(one.hint_ids)
        np.testing.assert_array_equal(other.hint_ids, third.hint_ids)


@pytest.mark.parametrize("model", [tiny_model(), adapted("llama", TOKENIZER, variant="attention")])
def test_random_hints_without_retrieved_ones_are_refused(model: Any) -> None:
    with pytest.raises(QPeftError, match="random hints need"):
        scorer(model, hints="random")


def test_shuffled_hints_need_hints() -> None:
    with pytest.raises(QPeftError, match="shuffled hints need an adapter with hints"):
        scorer(tiny_model(), hints="shuffled")
