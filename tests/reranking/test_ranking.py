"""The ranking rule, and that everything which ranks follows it, near ties included."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import RankedHit, RankedList, ScoredDoc
from pyserini_qpeft.data.runs import read_run, write_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.measures import trec_eval_order
from pyserini_qpeft.evaluation.sweep import from_ranked_lists, join_runs, rank
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig, fuse
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.reranking.reranker import QPeftReranker
from pyserini_qpeft.scoring.config import ScoringConfig

METHODS = ("zscore", "minmax", "linear", "rrf")
FUSIONS = st.one_of(
    st.none(),
    st.builds(FusionConfig, st.sampled_from(METHODS), st.sampled_from([0.0, 0.35, 0.5, 1.0]) | st.floats(0, 1)),
)


def ulps_from(value: float, count: int, kind: type) -> float:
    """The number that lies so many steps of a precision above a value."""
    number = kind(value)
    for _ in range(abs(count)):
        number = np.nextafter(number, kind(np.inf if count > 0 else -np.inf))
    return float(number)


LIKELIHOODS = st.one_of(
    st.builds(ulps_from, st.sampled_from([-3.0, -2.6, -7.0]), st.integers(-2, 2), st.just(np.float32)),
    st.floats(-12, -0.125, width=32),
)
FIRST_STAGE = st.one_of(
    st.builds(ulps_from, st.sampled_from([10.0, 4.0, 2.0]), st.integers(-2, 2), st.just(np.float64)),
    st.floats(-1000, 1000),
)
LISTS = st.lists(st.tuples(FIRST_STAGE, LIKELIHOODS), min_size=1, max_size=12).map(
    lambda hits: sorted(hits, key=lambda hit: -hit[0])
)
DEPTHS = st.none() | st.integers(0, 13)


def test_a_tie_in_single_precision_keeps_the_first_stages_order_although_double_precision_would_not() -> None:
    first_stage, likelihoods = [10.0, 10.0, 4.0, 2.0], [-3.0, ulps_from(-3.0, 1, np.float32), -7.0, -2.6]
    fusion = FusionConfig(weight=0.35)
    fused = fuse(first_stage, likelihoods, fusion)
    assert fused[1] > fused[0]
    assert np.float32(fused[1]) == np.float32(fused[0])
    assert rank_hits(likelihoods, first_stage, fusion).order[:2] == [0, 1]


@given(hits=LISTS, fusion=FUSIONS, depth=DEPTHS)
def test_the_order_is_that_of_an_independent_sort(hits: Any, fusion: FusionConfig | None, depth: int | None) -> None:
    first_stage, likelihoods = [hit[0] for hit in hits], [hit[1] for hit in hits]
    head = len(hits[:depth])
    scores = likelihoods[:head]
    usable = len(set(first_stage[:head])) > 1
    if fusion is not None and usable:
        scores = fuse(first_stage[:head], scores, fusion).tolist()
    elif fusion is not None and fusion.weight == 0:
        scores = [0.0] * head
    expected = sorted(range(head), key=lambda place: (-np.float32(scores[place]), place))
    ranking = rank_hits(likelihoods, first_stage, fusion, depth=depth)
    assert ranking.order == [*expected, *range(head, len(hits))]
    assert ranking.scores[:head] == [float(np.float32(scores[place])) for place in expected]
    assert ranking.first_stage_unusable == (fusion is not None and fusion.weight != 0 and not usable and head > 1)
    dropped = rank_hits(likelihoods, first_stage, fusion, depth=depth, below_depth="drop")
    assert (dropped.order, dropped.scores) == (ranking.order[:head], ranking.scores[:head])


@given(hits=LISTS, fusion=FUSIONS, depth=DEPTHS, lost=st.sets(st.integers(0, 11)))
def test_scores_that_are_no_numbers_reach_no_ranking(
    hits: Any, fusion: FusionConfig | None, depth: int | None, lost: set[int]
) -> None:
    first_stage = [float("nan") if place in lost else hit[0] for place, hit in enumerate(hits)]
    ranking = rank_hits([hit[1] for hit in hits], first_stage, fusion, depth=depth)
    assert sorted(ranking.order) == list(range(len(hits)))
    assert np.isfinite(ranking.scores).all()
    single = np.asarray(ranking.scores, dtype=np.float32)
    assert (np.diff(single) <= 0).all() or depth == 0


def test_likelihoods_that_are_no_numbers_and_fused_scores_without_bounds_are_refused() -> None:
    with pytest.raises(QPeftError, match="hit 2 is nan"):
        rank_hits([-1.0, float("nan")], [2.0, 1.0], None)
    with pytest.raises(QPeftError, match="hit 1 is inf in single precision"):
        rank_hits([-1.0, -2.0], [1e60, 1.0], FusionConfig("linear", 0.5))
    with pytest.raises(ValueError, match="1 likelihoods for 2 hits"):
        rank_hits([-1.0], [2.0, 1.0], None)


class _Scorer:
    """Gives each pair the likelihood that its text names."""

    query_batch_pairs = 5
    config = ScoringConfig()
    model = SimpleNamespace(config=SimpleNamespace(name_or_path="none"))

    def sequences(self, pairs: Any) -> list[Any]:
        return [_Sequence(float(text)) for _, text in pairs]

    def score(self, sequences: Any, on_scored: Any = None) -> Any:
        return np.array([sequence.likelihood for sequence in sequences], dtype=np.float32)


class _Sequence(SimpleNamespace):
    tokens_cut = 0

    def __init__(self, likelihood: float) -> None:
        super().__init__(likelihood=likelihood)

    def __len__(self) -> int:
        return 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.lists(LISTS, min_size=1, max_size=3), fusion=FUSIONS, depth=DEPTHS)
def test_the_ranking_of_tune_is_the_file_of_rerank_byte_for_byte(
    tmp_path: Path, lists: Any, fusion: FusionConfig | None, depth: int | None
) -> None:
    run = {
        f"q{n}": [
            ScoredDoc(f"d{place * 7 % 12}", first, repr(likelihood)) for place, (first, likelihood) in enumerate(hits)
        ]
        for n, hits in enumerate(lists)
    }

    def reranked(config: RerankConfig) -> list[RankedList]:
        ranked = QPeftReranker(_Scorer(), config).rerank_batch([("query", hits) for hits in run.values()])  # type: ignore[arg-type]
        return [RankedList(qid, "query", hits) for qid, hits in zip(run, ranked, strict=True)]

    write_run(tmp_path / "scored.jsonl", reranked(RerankConfig(fusion=None)), "jsonl")
    stages = from_ranked_lists(read_ranked_lists(tmp_path / "scored.jsonl"))
    write_run(tmp_path / "likelihoods.txt", reranked(RerankConfig(fusion=None)))
    joined = join_runs(run, read_run(tmp_path / "likelihoods.txt"))
    assert joined == stages

    write_run(tmp_path / "reranked.txt", reranked(RerankConfig(depth=depth, fusion=fusion)))
    ranking = rank(stages, depth, fusion)
    write_run(tmp_path / "tuned.txt", [ranked_list(qid, hits) for qid, hits in ranking.items()])
    assert (tmp_path / "tuned.txt").read_bytes() == (tmp_path / "reranked.txt").read_bytes()

    written = read_run(tmp_path / "reranked.txt")
    for qid, hits in ranking.items():
        assert trec_eval_order(written[qid]) == trec_eval_order(hits)
        # Without ties, this is the order of the file; trec_eval breaks ties by docid.
        scores = np.array([hit.score for hit in hits], dtype=np.float32)
        if len(np.unique(scores)) == len(scores):
            assert trec_eval_order(written[qid]) == [hit.docid for hit in hits]


def ranked_list(qid: str, hits: list[ScoredDoc]) -> RankedList:
    return RankedList(qid, "query", [RankedHit(hit.docid, hit.score, n, 0.0, 1) for n, hit in enumerate(hits, 1)])
