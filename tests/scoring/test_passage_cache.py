"""A passage that was read once scores as one that is read with every query, whatever was kept and for how long."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import PAIRS, adapted, tiny_configs, tiny_model, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
WORDS = st.sampled_from(["Paris", "the", "river", "prophet", "Nile", "of", "é", "日本", "6,650", "\n", "sings", "—"])
TEXTS = st.lists(WORDS, max_size=30).map(" ".join)
QUERIES = st.lists(WORDS.filter(str.strip), min_size=1, max_size=9).map(" ".join)
# Every query with every passage, as a pool is reranked.
POOL = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS]
PLENTY = 1 << 30


def scores(model: Any, pairs: list[tuple[str, str]], tokenizer: Any = TOKENIZER, **config: Any) -> Any:
    scorer = LikelihoodScorer(model, tokenizer, ScoringConfig(**config))
    return scorer.score(scorer.sequences(pairs))


@pytest.mark.parametrize("variant", ["bare", "retrieval", "attention"])
@pytest.mark.parametrize("architecture", [name for name in tiny_configs() if name != "gemma3"])
def test_scores_are_those_without_it_on_every_architecture(architecture: str, variant: str) -> None:
    tokenizer = tiny_tokenizer(bos=architecture != "gpt2")
    model = tiny_model(architecture) if variant == "bare" else adapted(architecture, tokenizer, variant=variant)
    expected = scores(model, POOL, tokenizer)
    cached = scores(model, POOL, tokenizer, passage_cache_bytes=PLENTY, batch_tokens=200)
    np.testing.assert_allclose(cached, expected, atol=1e-5)


@pytest.mark.parametrize("variant", ["retrieval", "none"])
def test_a_trained_instruction_is_read_with_the_passage(variant: str) -> None:
    model = adapted("llama", TOKENIZER, variant=variant, instruction_mode="soft")
    np.testing.assert_allclose(scores(model, POOL, passage_cache_bytes=PLENTY), scores(model, POOL), atol=1e-5)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    queries=st.lists(QUERIES, min_size=1, max_size=4),
    texts=st.lists(TEXTS, min_size=1, max_size=6),
    limit=st.integers(1, 400_000),
    budget=st.integers(1, 600),
    seed=st.randoms(),
)
def test_scores_depend_on_neither_limit_nor_order(
    queries: list[str], texts: list[str], limit: int, budget: int, seed: Any
) -> None:
    model = adapted("llama", TOKENIZER, variant="attention")
    pairs = [(query, text) for query in queries for text in texts]
    seed.shuffle(pairs)
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=limit, batch_tokens=budget))
    expected = scores(model, pairs)
    for _ in range(2):
        np.testing.assert_allclose(scorer.score(scorer.sequences(pairs)), expected, atol=1e-5)


def test_a_passage_is_read_once_for_all_queries(passages_read: Any) -> None:
    scorer = LikelihoodScorer(adapted("llama", TOKENIZER), TOKENIZER, ScoringConfig(passage_cache_bytes=PLENTY))
    numbers = passages_read(scorer)
    scorer.score(scorer.sequences(POOL))
    scorer.score(scorer.sequences(POOL[::-1]))
    assert sum(numbers) == len(PAIRS)


def test_the_least_recently_used_goes_first_and_the_limit_holds(passages_read: Any) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_bytes=1))
    cache = scorer.cache
    assert cache is not None
    a, b, c = (scorer.sequences([("nile", text)])[0] for text in ("Paris one", "Paris two", "Paris three"))
    shared = {name: one.shared_ids for name, one in (("a", a), ("b", b), ("c", c))}
    cache.limit = sum(cache.weigh(len(ids)) for ids in shared.values()) - 1
    numbers = passages_read(scorer)
    for name, expected in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)):
        cache.fill([shared[name]])
        assert sum(numbers) == expected, name
        assert cache.bytes <= cache.limit


def test_read_alone_each_passage_has_the_same_key_values_in_any_company(passages_read: Any) -> None:
    config = ScoringConfig(passage_cache_bytes=PLENTY)
    model = tiny_model()
    one, other = (LikelihoodScorer(model, TOKENIZER, config, read_alone=True) for _ in range(2))
    assert one.cache is not None
    assert other.cache is not None
    numbers = passages_read(one)
    shared = [sequence.shared_ids for sequence in one.sequences(PAIRS)]
    one.cache.fill(shared)
    assert numbers == [1] * len(PAIRS)
    for ids in shared:
        other.cache.fill([ids])
    assert torch.equal(one.cache.batch(shared).states, other.cache.batch(shared).states)


def test_a_batch_is_complete_whatever_the_limit_and_lasts_unless_its_memory_is_reused() -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_bytes=1))
    assert scorer.cache is not None
    first, second = ([one.shared_ids for one in scorer.sequences(PAIRS)[a:b]] for a, b in ((0, 2), (2, 5)))
    kept = scorer.cache.batch(first)
    states = kept.states.clone()
    assert kept.lengths.tolist() == [len(ids) for ids in first]
    scorer.cache.batch(second)
    assert torch.equal(kept.states, states)
    with scorer.row_scorer.budget.lock:
        reused = scorer.cache.batch(first, reuse=True)
        torch.testing.assert_close(reused.states, states, rtol=0, atol=1e-5)
        assert scorer.cache.batch(first, reuse=True).states.data_ptr() == reused.states.data_ptr()


def test_a_limit_that_holds_no_passage_still_scores() -> None:
    np.testing.assert_allclose(scores(tiny_model(), POOL, passage_cache_bytes=1), scores(tiny_model(), POOL), atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "settings", "reason"),
    [("gemma3", {}, "sliding-window"), ("llama", {"hint_position": "prefix"}, "hints stand before the passage")],
)
def test_where_it_cannot_be_had_the_reason_is_said(architecture: str, settings: dict[str, str], reason: str) -> None:
    model = adapted(architecture, TOKENIZER, variant="retrieval", **settings)
    with pytest.raises(QPeftError, match=reason):
        LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=PLENTY))


def test_a_folder_without_memory_is_refused(tmp_path: Path) -> None:
    assert ScoringConfig(passage_cache_folder=tmp_path).cache_bytes > 0
    with pytest.raises(QPeftError, match="passage_cache_bytes must be above 0"):
        ScoringConfig(passage_cache_folder=tmp_path, passage_cache_bytes=0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"passage_cache_limit": 5}, "name the folder"),
        ({"passage_cache_dtype": "int8"}, "needs a passage cache"),
        ({"passage_cache_dtype": "int4", "passage_cache_bytes": 1}, "must be model or int8"),
        ({"passage_cache_bytes": -1}, "must not be negative"),
    ],
)
def test_settings_of_a_cache_that_make_no_sense_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        ScoringConfig(**settings)


def test_adapters_that_leave_the_reading_of_passages_as_it_is_share_one_cache(passages_read: Any) -> None:
    base, config = tiny_model(), ScoringConfig(passage_cache_bytes=PLENTY)
    first = LikelihoodScorer(base, TOKENIZER, config)
    variants = [adapted("llama", TOKENIZER, variant=variant) for variant in ("retrieval", "attention", "none")]
    others = [LikelihoodScorer(model, TOKENIZER, config, others=[first]) for model in variants]
    numbers = passages_read(first)
    for scorer, model in zip(others, variants, strict=True):
        assert scorer.cache is first.cache
        assert scorer.row_scorer.budget is first.row_scorer.budget
        alone = LikelihoodScorer(model, TOKENIZER)
        np.testing.assert_allclose(scorer.score(scorer.sequences(POOL)), alone.score(alone.sequences(POOL)), atol=1e-5)
    assert sum(numbers) == len(PAIRS)

    soft = adapted("llama", TOKENIZER, variant="none", instruction_mode="soft")
    unlike = [(tiny_model(seed=5), config), (soft, config), (base, ScoringConfig(passage_cache_bytes=PLENTY + 1))]
    for model, other in unlike:
        assert LikelihoodScorer(model, TOKENIZER, other, others=[first]).cache is not first.cache


def test_short_of_memory_passages_are_read_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_cache_bytes=PLENTY))
    assert scorer.cache is not None
    reading = scorer.cache.reader.model
    read = reading.read_passages

    def scarce(ids: Any, instruction: slice) -> torch.Tensor:
        if ids.size > 60:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return read(ids, instruction)

    monkeypatch.setattr(reading, "read_passages", scarce)
    got = scorer.score(scorer.sequences(POOL))
    np.testing.assert_allclose(got, scores(tiny_model(), POOL), atol=1e-5)
    assert scorer.row_scorer.budget.tokens <= 60


def test_a_model_on_another_device_has_a_cache_of_its_own() -> None:
    config = ScoringConfig(passage_cache_bytes=1 << 20)
    first = LikelihoodScorer(tiny_model(), TOKENIZER, config)
    assert LikelihoodScorer(tiny_model(), TOKENIZER, config, others=[first]).cache is first.cache
    assert first.cache is not None
    first.cache.budget.device = torch.device("meta")
    assert LikelihoodScorer(tiny_model(), TOKENIZER, config, others=[first]).cache is not first.cache
