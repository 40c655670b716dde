"""The reranker itself in the place of a CrossEncoder, in sentence-transformers' own code."""

import copy

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="needs sentence-transformers (the extra sentence-transformers)")

from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator


@pytest.fixture
def samples(passages, query, best_first):
    texts = [passages[name] for name in best_first]
    return [
        {"query": query, "positive": [texts[0]], "negative": texts[1:]},
        {"query": query, "positive": [texts[-1]], "negative": texts[:-1]},
    ]


def test_the_reranking_evaluator_measures_the_ranking(reranker, samples, tmp_path):
    before = copy.deepcopy(samples)
    found = CrossEncoderRerankingEvaluator(samples, name="six", write_csv=True)(reranker, output_path=str(tmp_path))
    assert found["six_mrr@10"] == pytest.approx((1 + 1 / 6) / 2)
    assert found["six_ndcg@10"] == pytest.approx((1 + 1 / np.log2(7)) / 2)
    assert samples == before
    assert len(list(tmp_path.glob("*.csv"))) == 1


def test_the_evaluator_compares_with_the_first_stage(reranker, passages, query, best_first):
    documents = [passages[name] for name in reversed(best_first)]
    sample = {"query": query, "positive": documents[-1:], "documents": documents}
    found = CrossEncoderRerankingEvaluator([sample], write_csv=False)(reranker)
    assert found["base_mrr@10"] == pytest.approx(1 / 6)
    assert found["mrr@10"] == 1.0


def test_no_samples_with_a_positive_are_no_fault(reranker, query):
    sample = {"query": query, "positive": [], "negative": ["a"]}
    assert CrossEncoderRerankingEvaluator([sample], write_csv=False)(reranker)["map"] == 0.0


@pytest.fixture
def encoder(tiny_model_dir):
    """An encoder with random embeddings, so that none has to be downloaded."""
    tokenizers = pytest.importorskip("tokenizers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = tokenizers.Tokenizer.from_file(str(tiny_model_dir / "tokenizer.json"))
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def test_hard_negatives_are_mined_with_the_reranker_as_cross_encoder(reranker, encoder, passages, query):
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    from sentence_transformers.util import mine_hard_negatives

    mined = mine_hard_negatives(
        datasets.Dataset.from_dict({"query": [query], "answer": [passages["paris"]]}),
        encoder,
        cross_encoder=reranker,
        corpus=[text for text in passages.values() if text],
        max_score=0.0,
        num_negatives=4,
        range_max=4,
        output_scores=True,
        output_format="labeled-pair",
        verbose=False,
    )
    others = [text for name, text in passages.items() if text and name != "paris"]
    found = dict(zip(mined["answer"], mined["score"], strict=True))
    expected = reranker.score(query, [passages["paris"], *others]).tolist()
    assert found == pytest.approx(dict(zip([passages["paris"], *others], expected, strict=True)), abs=1e-5)


def test_torch_takes_the_scores_as_from_a_cross_encoder(reranker, passages, query):
    torch = pytest.importorskip("torch")
    pairs = [[query, text] for text in passages.values()]
    expected = reranker.score(query, list(passages.values()))
    tensor = reranker.predict(pairs, batch_size=2, convert_to_tensor=True, show_progress_bar=False)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)
