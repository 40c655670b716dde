"""A reranker is called as sentence-transformers' CrossEncoder is, by that library's own code too."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig

QUERY = "what is the name of the river"
TEXTS = ["Paris is the capital of France.", "The Nile runs through Egypt and is a river.", "", "Linda Davis sings"]


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    return QPeftReranker.from_pretrained(
        tiny_model_dir, device="cpu", dtype="float32", config=RerankConfig(fusion=None)
    )


@pytest.fixture(scope="module")
def likelihoods(reranker: QPeftReranker) -> np.ndarray:
    return reranker.score(QUERY, TEXTS)


@pytest.mark.parametrize(
    "shape",
    [
        list,
        tuple,
        iter,
        np.array,
        lambda pairs: np.array(pairs, dtype=object),
        lambda pairs: [list(pair) for pair in pairs],
        lambda pairs: pd.DataFrame(pairs, columns=["query", "text"]),
    ],
)
def test_pairs_come_in_any_usual_shape(reranker: QPeftReranker, likelihoods: np.ndarray, shape: Any) -> None:
    scores = reranker.predict(shape([(QUERY, text) for text in TEXTS]))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, likelihoods, atol=1e-6)


@pytest.mark.parametrize("pair", [(QUERY, TEXTS[1]), [QUERY, TEXTS[1]], np.array([QUERY, TEXTS[1]])])
def test_a_single_pair_has_a_single_score(reranker: QPeftReranker, likelihoods: np.ndarray, pair: Any) -> None:
    single = reranker.predict(pair)
    assert isinstance(single, np.float32)
    assert single == pytest.approx(likelihoods[1], abs=1e-5)
    tensor = reranker.predict(pair, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.shape == ()


@pytest.mark.parametrize("nothing", [[], (), np.empty((0, 2), dtype=object)])
def test_no_pairs_have_no_scores(reranker: QPeftReranker, nothing: Any) -> None:
    assert reranker.predict(nothing).shape == (0,)
    assert reranker.predict(nothing, convert_to_tensor=True).shape == (0,)
    assert reranker.predict(nothing, convert_to_numpy=False) == []
    assert reranker.rank(QUERY, []) == []


def test_keyword_arguments_of_the_cross_encoder_mean_what_they_mean_there(
    reranker: QPeftReranker, likelihoods: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [(QUERY, text) for text in TEXTS]
    plain = {"batch_size": 2, "apply_softmax": False, "prompt": None, "prompt_name": None, "device": "cpu"}
    np.testing.assert_array_equal(reranker.predict(inputs=pairs, pool=None, chunk_size=None, **plain), likelihoods)
    np.testing.assert_array_equal(reranker.predict(sentences=pairs, num_workers=2), likelihoods)
    np.testing.assert_array_equal(reranker.predict(pairs, device=torch.device("cpu")), likelihoods)
    tensor = reranker.predict(pairs, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), likelihoods)
    listed = reranker.predict(pairs, convert_to_numpy=False)
    assert [type(one) for one in listed] == [torch.Tensor] * 4
    squashed = reranker.predict(pairs, activation_fn=torch.exp)
    np.testing.assert_allclose(squashed, np.exp(likelihoods), rtol=1e-6)
    assert capsys.readouterr().err == ""
    reranker.predict(pairs, show_progress_bar=True)
    assert "4/4" in capsys.readouterr().err


def test_what_cannot_be_followed_is_refused(reranker: QPeftReranker) -> None:
    for option, sentence in {
        "prompt": "wording",
        "prompt_name": "wording",
        "pool": "one process",
        "device": r"the model is on cpu and is not moved to",
    }.items():
        with pytest.raises(QPeftError, match=sentence):
            reranker.predict([(QUERY, "a text")], **{option: "cuda:7"})
        with pytest.raises(QPeftError, match=sentence):
            reranker.rank(QUERY, ["a text"], **{option: "cuda:7"})
    with pytest.raises(QPeftError, match="is not moved to"):
        reranker.predict([(QUERY, "a text")], device=["cpu", "cpu"])
    with pytest.raises(TypeError, match="batchsize"):
        reranker.predict([(QUERY, "a text")], batchsize=3)
    with pytest.raises(QPeftError, match="pairs are needed"):
        reranker.predict()


def test_texts_are_ranked_in_the_shape_of_the_cross_encoder(reranker: QPeftReranker, likelihoods: np.ndarray) -> None:
    ranked = reranker.rank(QUERY, TEXTS, return_documents=True)
    order = np.argsort(-likelihoods, kind="stable").tolist()
    assert [result["corpus_id"] for result in ranked] == order
    assert [result["text"] for result in ranked] == [TEXTS[place] for place in order]
    for result in ranked:
        assert list(result) == ["corpus_id", "score", "text"]
        assert (type(result["corpus_id"]), type(result["score"])) == (int, float)
        assert result["score"] == pytest.approx(float(likelihoods[result["corpus_id"]]), abs=1e-6)
    best = reranker.rank(QUERY, np.array(TEXTS), top_k=2, batch_size=8, activation_fn=torch.exp)
    assert [list(result) for result in best] == [["corpus_id", "score"]] * 2
    assert [result["corpus_id"] for result in best] == order[:2]
    same = reranker.rank(QUERY, ["the same words"] * 5)
    assert [result["corpus_id"] for result in same] == [0, 1, 2, 3, 4]


def test_an_evaluator_of_sentence_transformers_runs_on_a_reranker(reranker: QPeftReranker) -> None:
    evaluation = pytest.importorskip("sentence_transformers.cross_encoder.evaluation", exc_type=ImportError)
    samples = [
        {"query": QUERY, "positive": [TEXTS[1]], "negative": [TEXTS[0], TEXTS[3]]},
        {"query": "who sings", "positive": [TEXTS[3]], "negative": TEXTS[:2]},
    ]
    evaluator = evaluation.CrossEncoderRerankingEvaluator(samples, name="tiny", write_csv=False)
    metrics = evaluator(reranker)
    best = [reranker.rank(one["query"], one["positive"] + one["negative"])[0]["corpus_id"] for one in samples]
    assert (metrics["tiny_mrr@10"] == 1) == (best == [0, 0])
    assert reranker.model_card_data.metrics["tiny_map"] == metrics["tiny_map"]


def test_beir_reranks_with_a_reranker(reranker: QPeftReranker) -> None:
    rerank = pytest.importorskip("beir.reranking", exc_type=ImportError).Rerank(reranker, batch_size=2)
    corpus = {f"d{place}": {"title": "", "text": text} for place, text in enumerate(TEXTS)}
    results = {"q1": {docid: float(place) for place, docid in enumerate(corpus)}, "q2": {"d0": 1.0}}
    scores = rerank.rerank(corpus, {"q1": QUERY, "q2": "who sings"}, results, top_k=3)
    assert scores["q1"].keys() == {"d1", "d2", "d3"}
    for docid, score in scores["q1"].items():
        assert score == pytest.approx(float(reranker.score(QUERY, [corpus[docid]["text"]])[0]), abs=1e-5)
    assert scores["q2"].keys() == {"d0"}
