"""An explanation adds up to the score, and names the hints that the model got."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.reranking.explanation import explain
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

TOKENIZER = tiny_tokenizer()
QUERY, PASSAGE = "what is the name of the river", "The Nile runs through Egypt and is a river."


@pytest.mark.parametrize("limit", [0, 1 << 20])
@pytest.mark.parametrize("variant", ["bare", "retrieval", "attention"])
def test_the_tokens_mean_is_the_score_and_the_hints_are_the_sequences_own(variant: str, limit: int) -> None:
    model: Any = tiny_model() if variant == "bare" else adapted("llama", TOKENIZER, variant=variant)
    scorer = LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_cache_bytes=limit))
    explanation = explain(scorer, QUERY, PASSAGE)
    sequence = scorer.sequences([(QUERY, PASSAGE)])[0]
    assert explanation.score == pytest.approx(float(scorer.score([sequence])[0]), abs=1e-5)
    assert np.mean([token.logprob for token in explanation.tokens]) == pytest.approx(explanation.score, abs=1e-5)
    assert "".join(token.token for token in explanation.tokens).strip() == QUERY
    assert [hint.token for hint in explanation.hints] == scorer.hint_tokens(sequence)
    assert bool(explanation.hints) == (variant == "retrieval")
    unhinted = [token.logprob_without_hints == token.logprob for token in explanation.tokens]
    assert all(unhinted) == (variant == "bare")
    assert explanation.tokens_cut == 0


def test_cut_tokens_are_counted() -> None:
    scorer = LikelihoodScorer(tiny_model(), TOKENIZER, ScoringConfig(passage_tokens=3))
    whole = LikelihoodScorer(tiny_model(), TOKENIZER).encoder.passages([PASSAGE])[0]
    assert explain(scorer, QUERY, PASSAGE).tokens_cut == len(whole.tokens) - 3


@pytest.mark.parametrize("style", ["byte-level", "metaspace"])
def test_hints_are_found_in_the_text_where_their_tokens_stand(style: str) -> None:
    tokenizer = tiny_tokenizer(style=style)
    text = f"  {PASSAGE} The river is the Nile. 🗼 Egypt"
    explanation = explain(LikelihoodScorer(adapted("llama", tokenizer, variant="retrieval"), tokenizer), QUERY, text)
    assert explanation.read == len(text)
    found = {hint.token: {text[start:stop] for start, stop in hint.places} for hint in explanation.hints}
    assert len(found) > 5
    # A token may be one of the bytes of a character: then its place is the whole character.
    assert all(texts == ({token} if "\ufffd" not in token else {"🗼"}) for token, texts in found.items())


def test_hints_are_not_looked_for_in_the_text_that_was_cut() -> None:
    scorer = LikelihoodScorer(
        adapted("llama", TOKENIZER, variant="retrieval"), TOKENIZER, ScoringConfig(passage_tokens=9)
    )
    text = f" {PASSAGE} {PASSAGE} {PASSAGE}"
    explanation = explain(scorer, QUERY, text)
    whole = scorer.encoder.tokenizer(text[: explanation.read].strip(), add_special_tokens=False)["input_ids"]
    assert len(whole) == 9
    assert all(stop <= explanation.read for hint in explanation.hints for _, stop in hint.places)


def test_an_explanation_adds_up_to_the_score(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    reranker = QPeftReranker.from_pretrained(tiny_model_dir, tmp_path / "adapter", dtype="float32")
    bare = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    explanation = reranker.explain(QUERY, PASSAGE)
    assert explanation.score == pytest.approx(float(reranker.score(QUERY, [PASSAGE])[0]), abs=1e-5)
    assert np.mean([token.logprob for token in explanation.tokens]) == pytest.approx(explanation.score, abs=1e-5)
    without = np.mean([token.logprob_without_hints for token in explanation.tokens])
    assert without == pytest.approx(float(bare.score(QUERY, [PASSAGE])[0]), abs=1e-5)
    assert without != pytest.approx(explanation.score, abs=1e-3)
    assert "".join(token.token for token in explanation.tokens).strip() == QUERY
    assert explanation.hints
    assert all(hint.token in PASSAGE for hint in explanation.hints)
