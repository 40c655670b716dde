"""Ceiling@k equals the nDCG@10 of a run whose first k hits a perfect reranker has ordered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.evaluation.measures import score_queries

DOCIDS = [f"d{number}" for number in range(30)]


@given(
    grades=st.dictionaries(st.sampled_from(DOCIDS), st.integers(-1, 3), min_size=1),
    ranking=st.lists(st.sampled_from(DOCIDS), unique=True, min_size=1, max_size=25),
    cutoff=st.integers(1, 25),
)
def test_it_is_the_ndcg_of_the_first_hits_sorted_by_their_grades(
    grades: dict[str, int], ranking: list[str], cutoff: int
) -> None:
    run = {"q": [ScoredDoc(docid, -float(rank)) for rank, docid in enumerate(ranking)]}
    perfect = sorted(ranking[:cutoff], key=lambda docid: -grades.get(docid, 0))
    reranked = {"q": [ScoredDoc(docid, -float(rank)) for rank, docid in enumerate(perfect)]}
    expected = score_queries(reranked, {"q": grades}, ["nDCG@10"]).iloc[0, 0]
    assert score_queries(run, {"q": grades}, [f"Ceiling@{cutoff}"]).iloc[0, 0] == pytest.approx(expected, abs=1e-9)


def test_without_a_cutoff_all_hits_count() -> None:
    run = {"q": [ScoredDoc("a", 2.0), ScoredDoc("b", 1.0)]}
    values = score_queries(run, {"q": {"b": 1}}, ["Ceiling", "Ceiling@1"])
    assert values.iloc[0].tolist() == [1.0, 0.0]
