import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig, RerankingSearcher
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.lucene import StoredTexts, build_index, open_searcher
from pyserini_qpeft.reranking.fusion import FusionConfig

PASSAGES = {
    "nile": "The Nile is the longest river of Africa and flows through Egypt.",
    "paris": "Paris is the capital of France, on the river Seine.",
    "aaron": "Aaron is a prophet, high priest and the brother of Moses.",
    "rome": "Rome, the capital of Italy, was built on seven hills by a river.",
    "lyon": "Lyon is a city in France where the river Saône meets the Rhône.",
}
QUERY = "which river flows through the capital"


@pytest.fixture(scope="module")
def reranker(tiny_model_dir) -> QPeftReranker:
    return QPeftReranker.from_pretrained(tiny_model_dir, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def lucene(tmp_path_factory) -> Any:
    folder = tmp_path_factory.mktemp("searcher")
    file = folder / "corpus.jsonl"
    file.write_text("".join(json.dumps({"_id": docid, "text": text}) + "\n" for docid, text in PASSAGES.items()))
    build_index(file, folder / "index")
    return open_searcher(folder / "index")


class LatentSemanticEncoder:
    """A dense query encoder that needs no download: latent semantic analysis of the passages themselves."""

    def __init__(self, passages: list[str], width: int) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        self.analysis = make_pipeline(TfidfVectorizer(sublinear_tf=True), TruncatedSVD(width, random_state=0))
        self.analysis.fit(passages)

    def vectors(self, texts: list[str]) -> np.ndarray:
        found = self.analysis.transform(texts).astype(np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def encode(self, query: str) -> np.ndarray:
        return self.vectors([query])[0]


def faiss_searcher(folder: Path, passages: dict[str, str], width: int) -> Any:
    import faiss
    from pyserini.search.faiss import FaissSearcher

    encoder = LatentSemanticEncoder(list(passages.values()), width)
    vectors = encoder.vectors(list(passages.values()))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(folder / "index"))
    (folder / "docid").write_text("".join(f"{docid}\n" for docid in passages))
    return FaissSearcher(str(folder), encoder)


def pairs(hits: Any) -> list[tuple[str, float]]:
    return [(hit.docid, hit.score) for hit in hits]


def test_search_is_the_first_stage_and_then_the_reranker(lucene, reranker):
    found = RerankingSearcher(lucene, reranker).search(QUERY, k=3)
    own = reranker.rerank(QUERY, lucene.search(QUERY, k=100))[:3]
    assert found == own
    assert [hit.rank for hit in found] == [1, 2, 3]


def test_the_default_is_fused_with_the_first_stage(lucene, reranker):
    default = QPeftReranker(reranker.scorer)
    assert default.config.fusion is not None
    found = RerankingSearcher(lucene, default).search(QUERY, k=5)
    fused = QPeftReranker(reranker.scorer, RerankConfig(fusion=FusionConfig(weight=default.config.fusion.weight)))
    assert found == fused.rerank(QUERY, lucene.search(QUERY, k=100))[:5]
    assert [hit.score for hit in found] != [hit.likelihood for hit in found]


def test_a_reranker_without_effect_returns_the_first_stages_list(lucene, reranker):
    for config in (RerankConfig(depth=0), RerankConfig(fusion=FusionConfig(weight=0.0))):
        idle = QPeftReranker(reranker.scorer, config)
        found = RerankingSearcher(lucene, idle).search(QUERY, k=4)
        assert [(hit.docid, hit.first_stage_score) for hit in found] == pairs(lucene.search(QUERY, k=4))


def test_on_an_index_made_elsewhere_nothing_is_lost(cacm_index, reranker):
    lucene = open_searcher(cacm_index)
    idle = QPeftReranker(reranker.scorer, RerankConfig(depth=0))
    found = RerankingSearcher(lucene, idle).search("information retrieval", k=10)
    assert (found[0].docid, round(found[0].score, 5)) == ("CACM-3134", 4.7655)
    assert (found[9].docid, round(found[9].score, 5)) == ("CACM-2516", 4.2174)
    reranked = RerankingSearcher(lucene, reranker, depth=10).search("information retrieval", k=10)
    assert {hit.docid for hit in reranked} == {hit.docid for hit in found}


def test_many_queries_at_once_find_what_each_finds_alone(lucene, reranker):
    searcher = RerankingSearcher(lucene, reranker)
    queries = {"b": QUERY, "a": "the brother of Moses", "none": "zebra", "empty": "the of"}
    found = searcher.batch_search(list(queries.values()), list(queries), k=2, threads=2)
    assert list(found) == list(queries)
    for qid, query in queries.items():
        alone = searcher.search(query, k=2)
        assert [hit.docid for hit in found[qid]] == [hit.docid for hit in alone]
        assert [hit.score for hit in found[qid]] == pytest.approx([hit.score for hit in alone], abs=1e-5)
    assert found["none"] == found["empty"] == []


def test_the_depth_is_what_the_first_stage_is_asked_for(lucene, reranker):
    assert len(RerankingSearcher(lucene, reranker, depth=2).search(QUERY, k=1)) == 1
    assert {hit.docid for hit in RerankingSearcher(lucene, reranker, depth=2).search(QUERY, k=2)} == {
        hit.docid for hit in lucene.search(QUERY, k=2)
    }
    assert len(RerankingSearcher(lucene, reranker, depth=2).search(QUERY, k=4)) == 4


def test_options_of_the_first_stage_go_to_it(lucene, reranker):
    boosted = RerankingSearcher(lucene, reranker).search(QUERY, k=4, fields={"contents": 2.0})
    assert sorted((hit.docid, hit.first_stage_score) for hit in boosted) == sorted(
        pairs(lucene.search(QUERY, k=100, fields={"contents": 2.0}))
    )


def test_doc_is_the_first_stages(lucene, reranker):
    searcher = RerankingSearcher(lucene, reranker)
    assert json.loads(searcher.doc("nile").raw())["contents"] == PASSAGES["nile"]
    assert searcher.doc("unknown") is None


def test_dense_hits_take_their_text_from_a_corpus_or_an_index(lucene, reranker, tmp_path):
    dense = faiss_searcher(tmp_path, PASSAGES, width=3)
    from_corpus = RerankingSearcher(dense, reranker, corpus=PASSAGES)
    from_index = RerankingSearcher(dense, reranker, corpus=StoredTexts(lucene.index_dir))
    assert from_corpus.search(QUERY, k=5) == from_index.search(QUERY, k=5)
    assert len(from_corpus.search(QUERY, k=5)) == 5
    assert from_corpus.batch_search([QUERY], ["q"], k=5) == {"q": from_corpus.search(QUERY, k=5)}
    with pytest.raises(QPeftError, match="no text for document"):
        RerankingSearcher(dense, reranker).search(QUERY)


def test_hybrid_hits_take_their_text_from_the_sparse_half(lucene, reranker, tmp_path):
    from pyserini.search.hybrid import HybridSearcher

    hybrid = HybridSearcher(faiss_searcher(tmp_path, PASSAGES, width=3), lucene)
    searcher = RerankingSearcher(hybrid, reranker)
    found = searcher.search(QUERY, k=5)
    assert {hit.docid for hit in found} == {hit.docid for hit in hybrid.search(QUERY, k0=5, k=5)}
    assert searcher.batch_search([QUERY], ["q"], k=5)["q"][0].docid == found[0].docid
    assert searcher.doc("rome") is not None


def test_a_dense_first_stage_over_a_real_collection(shared, shared_index, reranker, tmp_path):
    passages = dict(Corpus.open(shared / "data" / "nfcorpus"))
    dense = faiss_searcher(tmp_path, passages, width=64)
    queries = ["Breast Cancer Cells Feed on Cholesterol", "Is meat glue safe?"]
    from_corpus = RerankingSearcher(dense, reranker, corpus=passages, depth=20)
    from_index = RerankingSearcher(dense, reranker, corpus=StoredTexts(shared_index("nfcorpus")), depth=20)
    found = from_corpus.batch_search(queries, ["1", "2"], k=20)
    assert found == from_index.batch_search(queries, ["1", "2"], k=20)
    for query, hits in zip(queries, found.values(), strict=True):
        first = dense.search(query, k=20)
        assert {(hit.docid, hit.first_stage_score) for hit in hits} == {(hit.docid, float(hit.score)) for hit in first}
