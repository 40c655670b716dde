"""A cascade is its stages one after the other, whatever they are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawn import DrawnReranker
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft import CascadeReranker, FusionConfig, QPeftError, QPeftReranker, RerankConfig
from pyserini_qpeft.data.records import Run, ScoredDoc, StageScore
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run
from pyserini_qpeft.reranking.resume import ResumableWriter
from pyserini_qpeft.scoring.report import ScoringReport

HITS = [(f"d{place}", f"text {place}", 20.0 - place) for place in range(12)]
PLAIN = {"fusion": None}


def chain(*depths: int | None, **options: Any) -> CascadeReranker:
    stages = [DrawnReranker(seed, RerankConfig(depth=depth, **PLAIN)) for seed, depth in enumerate(depths)]
    return CascadeReranker(stages, **options)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 14))
def test_each_stage_sorts_the_first_hits_of_the_one_before(one: int, other: int, count: int) -> None:
    shallow, deep = sorted((one, other))
    hits = HITS[:count]
    cascade = chain(deep, shallow)
    first, second = cascade.stages
    order = sorted(hits[:deep], key=lambda hit: -first.likelihood("q", hit[1])) + hits[deep:]  # type: ignore[attr-defined]
    order = sorted(order[:shallow], key=lambda hit: -second.likelihood("q", hit[1])) + order[shallow:]  # type: ignore[attr-defined]
    ranked = cascade.rerank("q", hits)
    assert [hit.docid for hit in ranked] == [docid for docid, _, _ in order]
    scores = [hit.score for hit in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(a > b for a, b in zip(scores[shallow:], scores[shallow + 1 :], strict=False))


def test_a_hit_has_the_first_stage_of_all_and_the_likelihood_of_the_last() -> None:
    ranked = chain(8, 3).rerank("q", HITS)
    for rank, hit in enumerate(ranked, start=1):
        place = int(hit.docid[1:])
        assert (hit.rank, hit.first_stage_rank, hit.first_stage_score) == (rank, place + 1, 20.0 - place)
        assert hit.stages is not None
        before, after = hit.stages
        assert after == StageScore(rank, hit.score, hit.likelihood)
        assert (before.likelihood is not None) == (place < 8)
        assert (hit.likelihood is not None) == (before.rank <= 3)
        if place < 8:
            assert hit.text == f"text {place}"


def test_a_stage_fuses_with_the_scores_of_the_stage_before() -> None:
    fusion = FusionConfig(weight=0.3)
    stages = [
        DrawnReranker(0, RerankConfig(depth=9, fusion=fusion)),
        DrawnReranker(1, RerankConfig(depth=4, fusion=fusion)),
    ]
    before = stages[0].rerank("q", HITS)
    alone = stages[1].rerank("q", [(hit.docid, hit.text or "", hit.score) for hit in before])
    assert [(hit.docid, hit.score) for hit in CascadeReranker(stages).rerank("q", HITS)] == [
        (hit.docid, hit.score) for hit in alone
    ]


def test_a_stage_with_a_margin_reads_less_where_the_stage_before_is_sure() -> None:
    first = DrawnReranker(0, RerankConfig(depth=9, **PLAIN))
    queries = [f"q{number}" for number in range(8)]
    second = DrawnReranker(1, RerankConfig(depth=6, margin=0.5, fusion=FusionConfig("linear", 0.7)))
    cascade = CascadeReranker([first, second])
    depths = []
    for query, hits in zip(queries, cascade.rerank_batch([(query, HITS) for query in queries]), strict=True):
        scores = [hit.score for hit in first.rerank(query, HITS)]
        depths.append(sum(score >= scores[0] - 0.5 for score in scores[:6]))
        fixed = DrawnReranker(1, RerankConfig(depth=depths[-1], fusion=FusionConfig("linear", 0.7)))
        assert hits == CascadeReranker([first, fixed]).rerank(query, HITS)
    assert len(set(depths)) > 1


def test_query_batches_stay_together_in_every_stage_and_are_taken_one_at_a_time() -> None:
    cascade = chain(8, 3)
    taken = []

    def batches() -> Any:
        for batch in (["a", "b"], [], ["c"]):
            taken.append(batch)
            yield [(query, iter(HITS)) for query in batch]

    report = ScoringReport(passages=100)
    lists = cascade.rerank_query_batches(batches(), CallOptions(k=2, hints=True, report=report))
    first = next(lists)
    assert (taken, report.passages, first.passages) == ([["a", "b"]], 122, 11)
    rest = list(lists)
    assert [len(one.hits) for one in [first, *rest]] == [2, 2, 2]
    assert all(one.hints == [["1"], ["1"]] for one in [first, *rest])
    for stage in cascade.stages:
        assert [batch for batch in stage.batches if batch] == [["a", "b"], ["c"]]  # type: ignore[attr-defined]
    assert [one.passages for one in cascade.stage_reports] == [24, 9]
    assert cascade.last_report.passages == 133


def test_a_cascade_can_be_a_stage_of_a_cascade() -> None:
    flat = chain(10, 6, 2)
    nested = CascadeReranker([CascadeReranker(flat.stages[:2]), flat.stages[2]])
    assert nested.rerank("q", HITS) == flat.rerank("q", HITS)
    assert nested.passages(7) == flat.passages(7) == 7 + 6 + 2


def test_without_time_the_first_stage_is_left_as_it_is() -> None:
    stages = [
        DrawnReranker(0, RerankConfig(depth=8, **PLAIN), seconds=0.2),
        DrawnReranker(1, RerankConfig(depth=3, **PLAIN)),
    ]
    cascade = CascadeReranker(stages, milliseconds=100)
    assert cascade.query_batch_pairs == 1
    ranked = cascade.rerank_batch([("a", HITS), ("b", HITS)])
    for query, hits in zip("ab", ranked, strict=True):
        assert [hit.docid for hit in hits] == [hit.docid for hit in stages[0].rerank(query, HITS)]
        assert all(hit.likelihood is None for hit in hits)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize(
    ("depths", "message"),
    [((), "at least one stage"), ((5, 6), "rescores 6 hits, and stage 1 only 5"), ((5, None), "rescores all hits")],
)
def test_stages_that_cannot_follow_each_other_are_refused(depths: Any, message: str) -> None:
    with pytest.raises(QPeftError, match=message):
        chain(*depths)


def test_only_the_first_stage_may_drop_hits() -> None:
    first = DrawnReranker(0, RerankConfig(depth=4, below_depth="drop", **PLAIN))
    assert len(CascadeReranker([first, DrawnReranker(1, RerankConfig(depth=2, **PLAIN))]).rerank("q", HITS)) == 4
    with pytest.raises(QPeftError, match="only the first stage"):
        CascadeReranker([DrawnReranker(1, RerankConfig(depth=9, **PLAIN)), first])


def test_the_explanation_is_that_of_the_last_stage_and_has_those_of_all() -> None:
    cascade = chain(8, 5, 3)
    first, second, third = (stage.explain("q", "text") for stage in cascade.stages)
    assert cascade.explain("q", "text") == replace(third, stages=(first, second, third))
    nested = CascadeReranker([CascadeReranker(cascade.stages[:2]), cascade.stages[2]])
    assert nested.explain("q", "text") == cascade.explain("q", "text")


def test_a_run_that_is_killed_ends_as_one_that_is_not(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real models, each in the query batches that the cascade chooses."""
    base = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu")
    cascade = CascadeReranker(
        [
            QPeftReranker(base.scorer, RerankConfig(depth=8)),
            QPeftReranker(base.scorer, RerankConfig(depth=4, fusion=None)),
        ]
    )
    run: Run = {f"q{n}": [ScoredDoc(docid, score, text) for docid, text, score in HITS[n:]] for n in range(5)}
    topics = {qid: f"the river {qid}" for qid in run}
    rerank_run(run, topics, RunConfig(tmp_path / "whole", format="jsonl"), cascade)
    own = cascade.rerank_batch([(topics[qid], hits) for qid, hits in run.items()])
    for line, hits in zip((tmp_path / "whole").read_text().splitlines(), own, strict=True):
        written = json.loads(line)["hits"]
        assert [(one["docid"], one["score"], one["likelihood"]) for one in written] == [
            (hit.docid, hit.score, hit.likelihood) for hit in hits
        ]
        assert [len(one["stages"]) for one in written] == [2] * len(hits)

    write, count = ResumableWriter.write, 0

    def write_two(self: ResumableWriter, *args: Any) -> None:
        nonlocal count
        if count == 2:
            raise KeyboardInterrupt
        write(self, *args)
        count += 1

    with monkeypatch.context() as patch:
        patch.setattr(ResumableWriter, "write", write_two)
        with pytest.raises(KeyboardInterrupt):
            rerank_run(run, topics, RunConfig(tmp_path / "run", format="jsonl"), cascade)
    deeper = CascadeReranker([QPeftReranker(base.scorer, RerankConfig(depth=9)), cascade.stages[1]])
    with pytest.raises(QPeftError, match=r"stage1\.depth 8 \(now 9\)"):
        rerank_run(run, topics, RunConfig(tmp_path / "run", format="jsonl"), deeper)
    assert rerank_run(run, topics, RunConfig(tmp_path / "run", format="jsonl"), cascade).queries == 3
    assert (tmp_path / "run").read_bytes() == (tmp_path / "whole").read_bytes()
