"""Reranking from stored scores: the reranker's own ranking, and lists that cannot be reranked so."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import tiny_model, tiny_tokenizer

from pyserini_qpeft.data.ranked_lists import holds_ranked_lists, read_ranked_lists
from pyserini_qpeft.data.records import RankedList, ScoredDoc, StageScore
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.sweep import TwoStageHit, from_ranked_lists, join_runs, rank, reach, sweep
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker

WORDS = ["the", "path", "of", "a", "file", "name", "opens", "reads", "writes", "joins", "splits", "lines", "time"]


@pytest.fixture(scope="module")
def hits() -> list[tuple[str, str, float]]:
    draw = random.Random(4)
    # Two equal first-stage scores and two equal passages: ties in both stages.
    texts = [" ".join(draw.choices(WORDS, k=8)) for _ in range(11)]
    return [(f"d{i}", texts[min(i, 10)], float(20 - i // 2)) for i in range(12)]


@pytest.fixture(scope="module")
def reranked(hits) -> dict[str, QPeftReranker]:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

    scorer = LikelihoodScorer(tiny_model(), tiny_tokenizer())
    configs = {
        "alone": RerankConfig(fusion=None),
        "depth 5": RerankConfig(depth=5, fusion=None),
        "fused": RerankConfig(fusion=FusionConfig(weight=0.4)),
        "fused, depth 7": RerankConfig(depth=7, fusion=FusionConfig("rrf", 0.6)),
    }
    return {name: QPeftReranker(scorer, config) for name, config in configs.items()}


@pytest.mark.parametrize("name", ["alone", "depth 5", "fused", "fused, depth 7"])
def test_ranking_from_stored_scores_is_the_rerankers(name, hits, reranked, tmp_path: Path):
    query = "splits the path of a file"
    whole = RankedList("q", query, reranked["alone"].rerank(query, hits))
    write_run(tmp_path / "run.jsonl", [whole], "jsonl")
    stored = from_ranked_lists(read_ranked_lists(tmp_path / "run.jsonl"))
    config = reranked[name].config
    ours = [hit.docid for hit in rank(stored, config.depth, config.fusion)["q"]]
    assert ours == [hit.docid for hit in reranked[name].rerank(query, hits)]


def test_reranked_lists_come_back_as_they_were_written(hits, reranked, tmp_path: Path):
    lists = [RankedList("q é", "path", reranked["depth 5"].rerank("path", hits), [["a"]] * 12, seconds=0.25)]
    write_run(tmp_path / "run.jsonl.gz", lists, "jsonl")
    assert holds_ranked_lists(tmp_path / "run.jsonl.gz")
    read = read_ranked_lists(tmp_path / "run.jsonl.gz")
    assert [(one.qid, one.query, one.seconds, list(one.hits), one.hints) for one in read] == [
        (one.qid, one.query, one.seconds, list(one.hits), one.hints) for one in lists
    ]


def test_two_runs_join_to_the_same_stages(hits, reranked, tmp_path: Path):
    ranked = reranked["alone"].rerank("path", hits)
    first_stage = {"q": [ScoredDoc(docid, score) for docid, _, score in hits]}
    likelihood = {"q": [ScoredDoc(hit.docid, hit.score) for hit in ranked]}
    assert join_runs(first_stage, likelihood) == from_ranked_lists([RankedList("q", "path", ranked)])


def test_a_fused_run_is_not_taken_for_a_run_of_likelihoods(hits, reranked):
    first_stage = {"q": [ScoredDoc(docid, score) for docid, _, score in hits]}
    fused = {"q": [ScoredDoc(hit.docid, hit.score) for hit in reranked["fused"].rerank("path", hits)]}
    with pytest.raises(QPeftError, match=r"query q: a score of the likelihood run is .*: write .* --fusion none"):
        join_runs(first_stage, fused)


def test_the_reach_is_the_shallowest_unscored_hit():
    def scored(*likelihoods: float | None) -> list[TwoStageHit]:
        return [TwoStageHit(str(i), 1.0, likelihood) for i, likelihood in enumerate(likelihoods)]

    assert reach({"q1": scored(-1.0, -2.0, None), "q2": scored(-1.0)}) == 2
    assert reach({"q1": scored(-1.0, -2.0, -3.0), "q2": scored(-1.0)}) == 3
    with pytest.raises(QPeftError, match="query q2: the first hit, document 0, has no likelihood"):
        reach({"q1": scored(-1.0), "q2": scored(None)})


def test_a_sweep_has_the_first_stage_at_weight_nothing_and_the_likelihood_at_one():
    run = {"q": [TwoStageHit("a", 3.0, -3.0), TwoStageHit("b", 2.0, -1.0), TwoStageHit("c", 1.0, -2.0)]}
    frame = sweep(run, {"q": {"b": 1}}, "RR", depths=[1, 3], weights=[0.0, 1.0])
    assert frame.loc[1].tolist() == [0.5, 0.5]
    assert frame.loc[3].tolist() == [0.5, 1.0]


def test_a_depth_beyond_the_scored_hits_is_refused():
    run = {"q": [TwoStageHit("a", 3.0, -3.0), TwoStageHit("b", 2.0, None)]}
    with pytest.raises(QPeftError, match="query q: document b has no likelihood within depth 2"):
        rank(run, 2, None)


def test_a_list_cut_after_reranking_is_refused(hits, reranked):
    cut = reranked["alone"].rerank("path", hits)
    worst = min(cut, key=lambda hit: hit.first_stage_rank)
    with pytest.raises(QPeftError, match="the first stage's hit 1 is not in the reranked list"):
        from_ranked_lists([RankedList("q", "path", [hit for hit in cut if hit is not worst])])


def test_the_lists_of_a_cascade_are_refused(hits, reranked):
    staged = [
        replace(hit, stages=(StageScore(1, 0.0, -1.0), StageScore(1, 0.0)))
        for hit in reranked["alone"].rerank("path", hits)
    ]
    with pytest.raises(QPeftError, match="query q: the list is that of a cascade"):
        from_ranked_lists([RankedList("q", "path", staged)])


def test_a_trec_run_has_no_second_stage(hits, reranked, tmp_path: Path):
    write_run(tmp_path / "run.txt", [RankedList("q", "path", reranked["alone"].rerank("path", hits))])
    assert not holds_ranked_lists(tmp_path / "run.txt")
    with pytest.raises(QPeftError):
        read_ranked_lists(tmp_path / "run.txt")
