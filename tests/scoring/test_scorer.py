"""A pair's score is its own: whatever else is in the batch, in whatever order, padded, truncated or short of memory."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.batch import plan_batches
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
WORDS = st.sampled_from(["Paris", "the", "river", "prophet", "Nile", "of", "é", "日本", "6,650", "\n", "sings", "—"])
TEXTS = st.lists(WORDS, max_size=40).map(" ".join)
QUERIES = st.lists(WORDS.filter(str.strip), min_size=1, max_size=9).map(" ".join)


@pytest.fixture(scope="module", params=["bare", "retrieval", "attention", "prefix"])
def model(request: pytest.FixtureRequest) -> Any:
    if request.param == "bare":
        return tiny_model()
    if request.param == "prefix":
        return adapted("llama", TOKENIZER, variant="retrieval", hint_position="prefix", filters=["query", "stopwords"])
    return adapted("llama", TOKENIZER, variant=request.param, filters=["stopwords", "letterless"])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs=st.lists(st.tuples(QUERIES, TEXTS), min_size=1, max_size=8), budget=st.integers(1, 600), seed=st.randoms())
def test_a_score_does_not_depend_on_its_company(
    model: Any, pairs: list[tuple[str, str]], budget: int, seed: Any
) -> None:
    alone = LikelihoodScorer(model, TOKENIZER, ScoringConfig(batch_tokens=1))
    expected = alone.score(alone.sequences(pairs))
    order = list(range(len(pairs)))
    seed.shuffle(order)
    together = LikelihoodScorer(model, TOKENIZER, ScoringConfig(batch_tokens=budget))
    scores = together.score(together.sequences([pairs[i] for i in order]))
    np.testing.assert_allclose(scores, expected[order], atol=1e-5)
    assert np.isfinite(scores).all()
    assert (scores <= 0).all()


@given(lengths=st.lists(st.integers(1, 700), max_size=60), budget=st.integers(1, 2000))
def test_a_plan_holds_every_sequence_once_within_its_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


def test_only_the_end_of_the_passage_is_cut_and_the_cut_is_counted(model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_tokens=6))
    long = "Paris is the capital of France and the Nile runs through Egypt"
    sequence = scorer.sequences([("what is the capital", long)])[0]
    own = TOKENIZER(f"\nPassage: {long}", add_special_tokens=False)["input_ids"][3:]
    kept = scorer.encoder.passages([long])[0].tokens
    assert list(kept) == own[:6]
    assert sequence.tokens_cut == len(own) - 6
    assert TOKENIZER.decode(sequence.query).strip() == "what is the capital"
    short = scorer.sequences([("what is the capital", TOKENIZER.decode(kept))])[0]
    assert list(short.shared_ids) == list(sequence.shared_ids)
    assert list(short.following) == list(sequence.following)


def test_a_passage_that_crowds_out_the_query_is_cut_to_what_the_model_reads(model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_tokens=100_000))
    sequence = scorer.sequences([("what is the capital", "river Nile " * 400)])[0]
    assert len(sequence) <= 512
    assert len(sequence) > 490
    assert sequence.tokens_cut > 0
    assert TOKENIZER.decode(sequence.scored).strip() == "what is the capital"
    assert np.isfinite(scorer.score([sequence])).all()


def test_a_query_longer_than_the_model_reads_is_refused(model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER)
    with pytest.raises(QPeftError, match=r"query is too long .* reads at most 512"):
        scorer.sequences([("river " * 600, "Nile")])


def test_an_empty_query_is_refused(model: Any) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER)
    with pytest.raises(QPeftError, match="empty"):
        scorer.sequences([("  ", "Nile")])


def test_when_every_token_is_filtered_hints_come_from_the_whole_passage() -> None:
    for variant in ("retrieval", "attention"):
        model = adapted("llama", TOKENIZER, variant=variant, filters=["stopwords", "letterless"])
        scorer = LikelihoodScorer(model, TOKENIZER)
        sequence = scorer.sequences([("the capital", ", the , of .")])[0]
        assert (sequence.hint_index >= 0).any()
        assert np.isfinite(scorer.score([sequence])).all()


def test_hints_are_the_nearest_distinct_passage_tokens_ties_by_first_place() -> None:
    model = adapted("llama", TOKENIZER, variant="retrieval", num_hints=4, filters=["stopwords", "letterless"])
    scorer = LikelihoodScorer(model, TOKENIZER)
    passage = "the river is the Nile and the Passage of Paris is the capital the river"
    sequence = scorer.sequences([("the Nile", passage)])[0]
    stopwords = {"the", "is", "and", "of"}
    own = scorer.encoder.passages([passage])[0].tokens
    shared = [i for i in dict.fromkeys(own) if i in sequence.query]
    exact = [i for i in shared if TOKENIZER.decode([i]).strip() not in stopwords]
    assert 0 < len(exact) < 4
    assert list(sequence.hint_ids[: len(exact)]) == exact
    assert list(sequence.hint_similarities[: len(exact)]) == [1.0] * len(exact)
    assert sequence.hint_similarities[len(exact)] < 1.0
    assert len(set(sequence.hint_ids)) == 4
    assert not stopwords & {TOKENIZER.decode([i]).strip() for i in sequence.hint_ids}
    assert set(sequence.hint_ids) <= set(own)


def test_hint_tokens_are_the_chosen_tokens_as_text() -> None:
    filters = ["stopwords", "letterless"]
    passage = "the river is the Nile and the Passage of Paris is the capital"
    scorer = LikelihoodScorer(adapted("llama", TOKENIZER, variant="retrieval", num_hints=3, filters=filters), TOKENIZER)
    hinted, plain = (scorer.sequences([("the Nile", passage)], hints=hints)[0] for hints in (True, False))
    assert scorer.hint_tokens(hinted) == [TOKENIZER.decode([i]).strip() for i in hinted.hint_ids]
    assert len(scorer.hint_tokens(hinted)) == 3
    assert all(token in passage for token in scorer.hint_tokens(hinted))
    assert scorer.hint_tokens(plain) == []
    for without in (tiny_model(), adapted("llama", TOKENIZER, variant="attention")):
        scorer = LikelihoodScorer(without, TOKENIZER)
        assert scorer.hint_tokens(scorer.sequences([("the Nile", passage)])[0]) == []


def test_bfloat16_ranks_as_float32_does_up_to_close_ties() -> None:
    pairs = [("the capital of France", f"Paris {'river ' * n} prophet") for n in range(12)]
    exact, rounded = (LikelihoodScorer(tiny_model().to(dtype), TOKENIZER) for dtype in (torch.float32, torch.bfloat16))
    expected = exact.score(exact.sequences(pairs))
    scores = rounded.score(rounded.sequences(pairs))
    for i in range(len(pairs)):
        for j in range(len(pairs)):
            if expected[i] > expected[j] + 0.05:
                assert scores[i] > scores[j]


def test_equal_pairs_are_scored_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(model, TOKENIZER)
    pairs = [("the river", "Nile " * n) for n in (1, 9, 1, 9, 1)]
    forward, counts = scorer.row_scorer.forward, []

    def counting(rows: Any) -> Any:
        counts.append(len(rows))
        return forward(rows)

    monkeypatch.setattr(scorer.row_scorer, "forward", counting)
    scores = scorer.score(scorer.sequences(pairs))
    assert sum(counts) == 2
    assert scores[0] == scores[2] == scores[4] != scores[1] == scores[3]


def test_dropout_is_off_whatever_state_a_model_comes_in() -> None:
    fresh = adapted("llama", TOKENIZER, variant="attention", attention_dropout=0.5).train()
    scorer = LikelihoodScorer(fresh, TOKENIZER)
    sequences = scorer.sequences([("the river", "Nile is long")])
    assert scorer.score(sequences) == scorer.score(sequences)
