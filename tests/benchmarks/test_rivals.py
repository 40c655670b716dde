"""The comparison is honest: who computes the same thing as we do gets the same numbers."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.arithmetic import Arithmetic
from benchmarks.rivals import NAMES, rival
from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.plain import Plain
from benchmarks.rivals.published import Published
from benchmarks.sizes import ModelFolders

PAIRS = [
    ("the capital of france", "Paris is the capital of France, and the Nile runs through Egypt.\nIt is long."),
    ("prophet", "Aaron is a prophet, high priest and the brother of Moses in the Abrahamic religions."),
    ("Où est la Tour Eiffel ? 日本", "La tour Eiffel est à Paris. 日本 🗼"),
    ("the river", ""),
    ("the the river", "the river the Nile the river " * 9),
    ("prophet of the nile", "river " * 40),
    ("who sings does he love me", "  Linda Davis sings it with Reba.  "),
    ("statin drugs", "Do statin drugs cause cancer? " * 3),
]


@pytest.fixture(scope="module")
def hinted(tiny_place: ModelFolders) -> Any:
    """Our reranker with an adapter whose hints are not the tokens' own embeddings."""
    ours = reranker(tiny_place, "retrieval")
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in ours.scorer.model.named_parameters():
            if "qpeft_" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    return ours


def test_the_published_way_gives_the_scores_that_ours_gives_with_hints(hinted: Any) -> None:
    published = Published(hinted.scorer.model, hinted.scorer.encoder.tokenizer)
    ours = loaded(hinted).score(PAIRS)
    np.testing.assert_allclose(published.score(PAIRS), ours, atol=1e-4)
    bare = hinted.scorer.score(hinted.scorer.sequences(PAIRS, hints=False))
    assert np.abs(ours - bare).max() > 1e-3


def test_plain_hugging_face_gives_the_scores_that_ours_gives_without_hints(tiny_place: ModelFolders) -> None:
    ours = reranker(tiny_place)
    plain = Plain(ours.scorer.model, ours.scorer.encoder.tokenizer)
    np.testing.assert_allclose(plain.score(PAIRS), loaded(ours).score(PAIRS), atol=1e-4)


@pytest.mark.parametrize("ours", ["ours", "ours-R"])
def test_a_shared_passage_is_read_and_counted_once(ours: str, tiny_place: ModelFolders) -> None:
    shared, unshared = rival(ours).load(tiny_place), rival(f"{ours}, unshared").load(tiny_place)
    pairs = [(query, passage) for query, _ in PAIRS for _, passage in PAIRS[:2]]
    np.testing.assert_allclose(shared.score(pairs), unshared.score(pairs), atol=1e-5)
    once, every = shared.readings(pairs), unshared.readings(pairs)
    assert len(once) == len(every) + 2
    arithmetic = Arithmetic.of(shared.model.get_base_model() if ours == "ours-R" else shared.model)
    assert arithmetic.operations(once) < arithmetic.operations(every)
    # One pair alone is as much work either way: what stands in two parts is no less.
    alone = shared.readings(pairs[:1])
    assert arithmetic.operations(alone) == arithmetic.operations(unshared.readings(pairs[:1]))


@pytest.mark.parametrize(
    ("name", "package"),
    [("CrossEncoder", "sentence_transformers"), ("rank_llm", "rank_llm"), ("rerankers", "rerankers")],
)
def test_a_classifier_scores_every_pair_in_its_place(name: str, package: str, tiny_place: ModelFolders) -> None:
    pytest.importorskip(package, reason=f"{package} comes with pip install -e '.[bench]'")
    way = rival(name).load(tiny_place)
    # rank_llm keeps the candidates of a query together, and so do its results.
    together, alone = way.score(PAIRS), np.concatenate([way.score([pair]) for pair in PAIRS])
    assert together.shape == (len(PAIRS),)
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert len(set(together.tolist())) == len(PAIRS)
    assert way.readings is not None
    assert all(reading.predicted == 0 for reading in way.readings(PAIRS))


def test_a_classifier_has_the_body_of_the_causal_model(tiny_place: ModelFolders) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    causal = AutoModelForCausalLM.from_pretrained(tiny_place.causal()).model.state_dict()
    body = AutoModelForSequenceClassification.from_pretrained(tiny_place.classifier(1)).model.state_dict()
    assert causal.keys() == body.keys()
    assert all(torch.equal(causal[name], body[name]) for name in causal)


def test_everyone_is_held_against_a_way_of_ours() -> None:
    assert {rival(name).against for name in NAMES} == {"ours", "ours-R"}
    assert [rival(name).name for name in NAMES] == list(NAMES)


def test_who_is_not_installed_is_skipped_with_what_to_install() -> None:
    from benchmarks.rivals.classifier import needed
    from benchmarks.skipped import Skipped

    with pytest.raises(Skipped, match=r"no_such_package.*pip install -e '\.\[bench\]'"):
        needed("no_such_package", "no-such-package")
