"""A local task of mteb, evaluated by mteb."""

import numpy as np
import pytest

pytest.importorskip("mteb", reason="needs mteb (the extra mteb)")

import mteb
from mteb.models.models_protocols import CrossEncoderProtocol

from pyserini_qpeft.interop.mteb import MtebCrossEncoder


@pytest.fixture
def model(reranker):
    return MtebCrossEncoder(reranker)


def batches(texts, size):
    return [{"text": texts[start : start + size]} for start in range(0, len(texts), size)]


def test_it_has_mtebs_interface(model):
    assert isinstance(model, CrossEncoderProtocol)
    about = model.mteb_model_meta
    assert about.model_type == ["cross-encoder"]
    assert about.name.startswith("pyserini-qpeft/")


def test_a_hub_id_stays_the_name(reranker):
    assert MtebCrossEncoder(reranker, "me/mine", "adapter-7").mteb_model_meta.name == "me/mine"
    assert MtebCrossEncoder(reranker, "me/mine", "adapter-7").mteb_model_meta.revision == "adapter-7"


@pytest.mark.parametrize("size", [1, 4, 100])
def test_pairs_keep_their_order_whatever_the_batches(model, reranker, passages, query, size):
    texts = list(passages.values())
    about = {"task_metadata": None, "hf_split": "test", "hf_subset": "default"}
    scores = model.predict(batches([query] * len(texts), 3), batches(texts, size), **about, batch_size=size)
    np.testing.assert_allclose(scores, reranker.score(query, texts), atol=1e-6)
    assert len(model.predict([], [], **about)) == 0


def test_loaders_of_different_length_are_refused(model):
    with pytest.raises(ValueError, match="zip"):
        model.predict(batches(["a"], 1), batches(["b", "c"], 1))


@pytest.fixture
def task(passages, query, best_first):
    """Six passages and one question, whose relevant passage is the one that the model likes best."""
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Capitals(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Capitals",
            description="Six passages.",
            dataset={"path": "local/capitals", "revision": "1"},
            type="Reranking",
            category="t2t",
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
            modalities=["text"],
        )

        def load_data(self, *_, **__):
            rows = [{"id": docid, "title": "", "text": text or "empty"} for docid, text in passages.items()]
            split = {
                "corpus": datasets.Dataset.from_list(rows),
                "queries": datasets.Dataset.from_list([{"id": "q1", "text": query}]),
                "relevant_docs": {"q1": {best_first[0]: 1}},
                "top_ranked": {"q1": list(passages)},
            }
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return Capitals()


def test_mteb_evaluates_a_local_task_with_it(model, task, tmp_path):
    result = mteb.evaluate(model, task, cache=None, show_progress_bar=False)
    (scores,) = result.task_results[0].scores["test"]
    assert scores["ndcg_at_10"] == 1.0
    assert result.model_name == model.name
