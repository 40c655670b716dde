"""Every hint rule keeps what the prompt and the model count on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import adapted, tiny_tokenizer

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft import QPeftConfig
from pyserini_qpeft.qpeft.hints import HINT_RULES, hint_rule, retrieval
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
WORDS = ["the", "river", "Nile", "Paris", "is", "capital", "of", "prophet", "日本", "?"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@pytest.fixture(scope="module", params=[*HINT_RULES, "pooled"])
def scorer(request: pytest.FixtureRequest) -> LikelihoodScorer:
    wanted = {"variant": request.param, "num_hints": 3, "filters": ["stopwords"]}
    if request.param == "pooled":
        wanted |= {"variant": "attention", "pooled_hints": 2}
    return LikelihoodScorer(adapted("llama", TOKENIZER, **wanted), TOKENIZER)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(queries=st.lists(TEXTS.filter(bool), min_size=1, max_size=3), passage=TEXTS)
def test_a_pair_has_as_many_places_as_hints_and_never_more_than_the_rule_says(
    scorer: LikelihoodScorer, queries: list[str], passage: str
) -> None:
    rule = scorer.builder.rule
    sequences = scorer.sequences([(query, passage) for query in queries])
    inputs = {name: [np.asarray(one) for one in arrays] for name, arrays in rule.inputs(sequences).items()}
    for place, sequence in enumerate(sequences):
        places = sequence.hint_index[sequence.hint_index >= 0]
        assert places.tolist() == list(range(len(places)))
        assert len(places) <= rule.most(sequence.query)
        assert all(len(arrays) == len(sequences) for arrays in inputs.values()), place
        if rule.hints_are_tokens:
            assert len(sequence.hint_ids) == len(sequence.hint_similarities) == len(places)
            assert set(sequence.hint_ids) <= set(scorer.encoder.passages([passage])[0].tokens)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(queries=st.lists(TEXTS.filter(bool), min_size=1, max_size=4), passage=TEXTS)
def test_each_vector_is_that_of_its_pair_alone(scorer: LikelihoodScorer, queries: list[str], passage: str) -> None:
    prompt: Any = scorer.model.base_model.prompt
    if not prompt.rule.has_hints:
        return
    embeddings = scorer.model.get_input_embeddings()
    together = _vectors(scorer, prompt, embeddings, [(query, passage) for query in queries])
    for place, query in enumerate(queries):
        alone = _vectors(scorer, prompt, embeddings, [(query, passage)])[0]
        torch.testing.assert_close(together[place][: len(alone)], alone, rtol=0, atol=1e-5)


def _vectors(
    scorer: LikelihoodScorer, prompt: Any, embeddings: Any, pairs: list[tuple[str, str]]
) -> list[torch.Tensor]:
    sequences = scorer.sequences(pairs)
    batch = scorer.row_scorer.collate([[sequence] for sequence in sequences])
    with torch.no_grad():
        vectors = prompt.hints(batch, embeddings)
    counts = [int((sequence.hint_index >= 0).sum()) for sequence in sequences]
    assert vectors.shape[1] >= max(counts)
    return [rows[:count] for rows, count in zip(vectors, counts, strict=True)]


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(QPeftError, match="retrieval, attention, none, not 'magic'"):
        QPeftConfig(variant="magic")


def test_a_model_without_an_adapter_has_the_rule_without_hints() -> None:
    assert not hint_rule(None).has_hints


class LaterHints(retrieval.RetrievedHints):
    """A rule with a setting of its own."""

    own_settings: ClassVar[Mapping[str, Any]] = {"skip": 2}


def test_a_rule_has_settings_of_its_own_which_the_adapter_file_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(retrieval, "RetrievedHints", LaterHints)
    assert hint_rule(QPeftConfig()).setting("skip") == 2
    QPeftConfig(hint_settings={"skip": 5}).save_pretrained(tmp_path)
    assert hint_rule(QPeftConfig.from_pretrained(tmp_path)).setting("skip") == 5
    with pytest.raises(
        QPeftError, match="variant retrieval has no setting 'size' of its own: its settings are similarity, skip"
    ):
        QPeftConfig(hint_settings={"size": 1})


def test_an_adapter_without_such_settings_has_the_file_that_it_always_had(tmp_path: Path) -> None:
    QPeftConfig().save_pretrained(tmp_path)
    assert "hint_settings" not in (tmp_path / "adapter_config.json").read_text()
    with pytest.raises(QPeftError, match="variant attention has no setting 'skip' of its own: it has none"):
        QPeftConfig(variant="attention", hint_settings={"skip": 1})
