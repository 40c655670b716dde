"""Hits carry their calibrated probability, and a threshold keeps the probable ones only."""

from pathlib import Path

import pytest

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker, RerankConfig
from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.reranking.fingerprint import config_settings
from pyserini_qpeft.reranking.options import CallOptions

PASSAGES = {
    "d1": "Paris is the capital of France.",
    "d2": "The Nile runs through Egypt and is a river.",
    "d3": "Aaron is a prophet, high priest and the brother of Moses.",
    "d4": "Linda Davis sings Does He Love Me with Reba.",
}
QUERY = "what is the name of the river"
HITS = [(docid, text, 10.0 - place) for place, (docid, text) in enumerate(PASSAGES.items())]
CURVE = Calibration(2.0, 0.5)


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")


def configured(plain: QPeftReranker, **settings: object) -> QPeftReranker:
    return QPeftReranker(plain.scorer, RerankConfig(**settings))


def test_a_model_without_a_calibration_gives_no_probabilities(plain: QPeftReranker):
    assert plain.config.calibration is None
    assert {hit.probability for hit in plain.rerank(QUERY, HITS)} == {None}


def test_every_rescored_hit_has_the_probability_of_its_likelihood_and_the_tail_has_none(plain: QPeftReranker):
    ranked = configured(plain, calibration=CURVE, depth=3).rerank(QUERY, HITS)
    prior = plain.score(QUERY, [""])[0]
    for hit in ranked[:3]:
        assert hit.probability == pytest.approx(CURVE.probability(hit.likelihood, prior), abs=1e-5)
    assert ranked[3].probability is None
    assert [(h.docid, h.score) for h in ranked] == [
        (h.docid, h.score) for h in configured(plain, depth=3).rerank(QUERY, HITS)
    ]


@pytest.mark.parametrize("fusion", [None, FusionConfig(weight=0.2)])
def test_a_minimum_drops_improbable_and_unscored_hits_before_the_first_k_are_taken(plain: QPeftReranker, fusion):
    whole = configured(plain, calibration=CURVE, depth=3, fusion=fusion).rerank(QUERY, HITS)
    minimum = sorted(hit.probability for hit in whole[:3])[1]
    strict = configured(plain, calibration=CURVE, depth=3, fusion=fusion, minimum_probability=minimum)
    kept = [hit for hit in whole if hit.probability is not None and hit.probability >= minimum]
    found = strict.rerank(QUERY, HITS)
    assert [hit.docid for hit in found] == [hit.docid for hit in kept]
    assert len(found) == 2
    assert [hit.rank for hit in found] == [1, 2]
    assert [hit.docid for hit in strict.rerank(QUERY, HITS, k=1)] == [kept[0].docid]
    (one,) = strict.rerank_query_batches([[(QUERY, HITS)]])
    assert one.dropped == 2


def test_hint_tokens_stay_with_their_hits(plain: QPeftReranker):
    whole = configured(plain, calibration=CURVE)
    minimum = sorted(hit.probability for hit in whole.rerank(QUERY, HITS))[2]
    strict = configured(plain, calibration=CURVE, minimum_probability=minimum)
    (everything,) = whole.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True))
    (found,) = strict.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True))
    hints = {hit.docid: tokens for hit, tokens in zip(everything.hits, everything.hints, strict=True)}
    assert found.hints == [hints[hit.docid] for hit in found.hits]
    assert found.passages == 4


def test_the_prior_is_kept_for_runs_from_which_a_calibration_is_fitted(plain: QPeftReranker):
    first, nothing = plain.rerank_query_batches([[(QUERY, HITS), ("no hits", [])]], CallOptions(hints=True))
    assert first.prior == pytest.approx(plain.score(QUERY, [""])[0], abs=1e-5)
    assert nothing.prior is None
    (without,) = plain.rerank_query_batches([[(QUERY, HITS)]])
    assert without.prior is None


def test_a_minimum_without_a_calibration_is_a_mistake(plain: QPeftReranker):
    with pytest.raises(QPeftError, match="needs a calibration"):
        configured(plain, minimum_probability=0.5)
    with pytest.raises(QPeftError, match="between 0 and 1"):
        RerankConfig(minimum_probability=1.5)


def test_a_run_depends_on_the_curve_and_the_minimum_and_not_on_the_size_of_the_sample():
    def settings(curve: Calibration) -> dict[str, object]:
        return config_settings(RerankConfig(calibration=curve))

    assert settings(CURVE) == settings(Calibration(2.0, 0.5, queries=7))
    assert settings(CURVE) != settings(Calibration(2.0, 1.5))
    assert config_settings(RerankConfig(minimum_probability=0.5)) != config_settings(RerankConfig())
