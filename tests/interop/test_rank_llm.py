"""rank_llm's interface, inside the real package: its Request, Candidate, Reranker and DataWriter."""

import asyncio
import copy
import json
import threading

import numpy as np
import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.interop.rank_llm import RankLLMReranker
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.reranker import QPeftReranker, RerankConfig

rank_llm_data = pytest.importorskip("rank_llm.data", reason="needs rank_llm (the extra dev)")
Candidate, DataWriter, Query, Request = (
    getattr(rank_llm_data, name) for name in ("Candidate", "DataWriter", "Query", "Request")
)


@pytest.fixture
def rank_llm_reranker():
    """The class of rank_llm that hands every call to a model coordinator."""
    from rank_llm.rerank.reranker import Reranker

    return Reranker


@pytest.fixture
def request_(passages, query):
    candidates = [
        Candidate(docid, 20.0 - place, {"text": text, "tags": [docid]})
        for place, (docid, text) in enumerate(passages.items())
    ]
    return Request(Query(query, 7), candidates)


def docids(result):
    return [candidate.docid for candidate in result.candidates]


def scores(result):
    return [candidate.score for candidate in result.candidates]


def test_rank_llms_reranker_gives_the_candidates_in_the_new_order(
    rank_llm_reranker, reranker, passages, query, request_, best_first
):
    result = rank_llm_reranker(RankLLMReranker(reranker)).rerank(request_)
    assert isinstance(result, rank_llm_data.Result)
    assert docids(result) == best_first
    assert result.query == request_.query
    assert result.invocations_history == []
    np.testing.assert_allclose(
        scores(result), reranker.score(query, [passages[docid] for docid in best_first]), atol=1e-5
    )


def test_a_batch_gives_each_request_its_own_result(rank_llm_reranker, reranker, request_):
    other = Request(Query("which river runs through Egypt?", "q2"), request_.candidates[::-1])
    nothing = Request(Query("anything", "q3"))
    ours = rank_llm_reranker(RankLLMReranker(reranker))
    results = ours.rerank_batch([request_, other, nothing])
    assert [result.query.qid for result in results] == [7, "q2", "q3"]
    assert docids(results[0]) == docids(ours.rerank(request_))
    assert docids(results[1]) == docids(ours.rerank(other))
    assert results[2].candidates == []
    assert results[2].invocations_history == []
    assert ours.rerank_batch([]) == []


def test_requests_are_not_changed_and_nothing_of_them_is_shared(reranker, request_):
    before = copy.deepcopy(request_)
    result = RankLLMReranker(reranker).rerank(request_, rank_start=1, rank_end=4)
    result.query.text = "changed"
    for candidate in result.candidates:
        candidate.doc["tags"].append("changed")
        candidate.score = 0.0
    assert request_ == before


@pytest.mark.parametrize(("start", "end"), [(0, 3), (2, 5), (1, 100), (3, 3), (6, 9)])
def test_candidates_outside_the_places_keep_theirs(reranker, request_, start, end):
    result = RankLLMReranker(reranker).rerank(request_, rank_start=start, rank_end=end)
    given = docids(request_)
    assert docids(result)[:start] == given[:start]
    assert docids(result)[end:] == given[end:]
    window = Request(request_.query, request_.candidates[start:end])
    assert docids(result)[start:end] == docids(RankLLMReranker(reranker).rerank(window))


@pytest.mark.parametrize("first", [20.0, 0.0, -5.0, -500.0])
@pytest.mark.parametrize(("start", "end"), [(0, 3), (2, 5), (3, 100)])
def test_scores_never_undo_the_order_whatever_the_first_stages_were(reranker, request_, first, start, end):
    for place, candidate in enumerate(request_.candidates):
        candidate.score = first - place
    result = RankLLMReranker(reranker).rerank(request_, rank_start=start, rank_end=end)
    as_trec_eval_reads = np.float32(scores(result))
    best, worst = as_trec_eval_reads[start:end].max(), as_trec_eval_reads[start:end].min()
    assert (as_trec_eval_reads[:start] > best).all()
    assert (as_trec_eval_reads[end:] < worst).all()
    assert (np.diff(as_trec_eval_reads) < 0).all()


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 3), (50, 60)])
def test_where_nothing_is_reranked_nothing_changes(reranker, request_, start, end):
    result = RankLLMReranker(reranker).rerank(request_, rank_start=start, rank_end=end)
    assert result.candidates == request_.candidates


def test_top_k_retrieve_caps_the_places(rank_llm_reranker, reranker, request_):
    """retrieve_and_rerank passes it beside rank_end."""
    ours = rank_llm_reranker(RankLLMReranker(reranker))
    assert ours.rerank_batch([request_], rank_end=5, top_k_retrieve=2, window_size=20) == [
        RankLLMReranker(reranker).rerank(request_, rank_end=2)
    ]


def test_a_cap_above_the_first_place_leaves_all_as_it_is(reranker, request_):
    result = RankLLMReranker(reranker).rerank(request_, rank_start=3, rank_end=5, top_k_retrieve=2)
    assert result.candidates == request_.candidates


def test_shuffling_changes_nothing(rank_llm_reranker, reranker, request_):
    ours = rank_llm_reranker(RankLLMReranker(reranker))
    assert ours.rerank(request_, shuffle_candidates=True, logging=True) == ours.rerank(request_)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (4, 2)])
def test_places_that_do_not_exist_are_refused(reranker, request_, start, end):
    with pytest.raises(QPeftError, match=f"rank_start={start} and rank_end={end}"):
        RankLLMReranker(reranker).rerank(request_, rank_start=start, rank_end=end)


@pytest.mark.parametrize("key", ["text", "segment", "contents", "content", "body", "passage"])
def test_the_text_is_found_under_each_of_rank_llms_keys_and_the_title_counts(reranker, query, key):
    request = Request(Query(query, "1"), [Candidate(1, 1.0, {"title": "Paris", key: "The capital of France."})])
    (candidate,) = RankLLMReranker(reranker).rerank(request).candidates
    assert candidate.docid == 1
    expected = reranker.score(query, ["Paris\nThe capital of France."])[0]
    assert candidate.score == pytest.approx(expected, abs=1e-5)


def test_a_candidate_without_text_is_named(reranker, query):
    request = Request(Query(query, "1"), [Candidate("lost", 1.0, {"url": "x"})])
    with pytest.raises(QPeftError, match="lost"):
        RankLLMReranker(reranker).rerank(request)


def test_a_docid_that_occurs_twice_comes_back_twice(reranker, query):
    candidates = [Candidate("x", 2.0, {"text": "Moses"}), Candidate("x", 1.0, {"text": "Paris, capital of France"})]
    result = RankLLMReranker(reranker).rerank(Request(Query(query, "1"), candidates))
    assert sorted(candidate.doc["text"] for candidate in result.candidates) == ["Moses", "Paris, capital of France"]


def test_the_async_twins_give_the_same_even_side_by_side(rank_llm_reranker, reranker, request_):
    ours = rank_llm_reranker(RankLLMReranker(reranker))
    other = Request(Query("who sings?", "q2"), request_.candidates)

    async def side_by_side():
        return await asyncio.gather(
            ours.rerank_async(request_, rank_end=4), ours.rerank_batch_async([other, request_], 1, 5)
        )

    one, batch = asyncio.run(side_by_side())
    expected = [ours.rerank(request_, rank_end=4), *ours.rerank_batch([other, request_], 1, 5)]
    for result, alone in zip([one, *batch], expected, strict=True):
        assert result.query == alone.query
        assert docids(result) == docids(alone)
        assert scores(result) == pytest.approx(scores(alone), abs=1e-5)


@pytest.mark.parametrize("method", ["rerank_async", "rerank_batch_async"])
def test_the_event_loop_stays_free_while_the_model_scores(reranker, request_, method, monkeypatch):
    """Scoring waits for what the loop does meanwhile: a loop that scoring blocked could never do it."""
    scoring_began, loop_ran = threading.Event(), threading.Event()
    score = reranker.rerank_batch

    def score_after_the_loop_ran(requests):
        scoring_began.set()
        assert loop_ran.wait(timeout=60), "the event loop did not run while the model scored"
        return score(requests)

    monkeypatch.setattr(reranker, "rerank_batch", score_after_the_loop_ran)
    ours = RankLLMReranker(reranker)

    async def rerank_while_the_loop_runs():
        scoring = asyncio.create_task(getattr(ours, method)([request_] if "batch" in method else request_))
        await asyncio.to_thread(scoring_began.wait, 60)
        assert not scoring.done()
        loop_ran.set()
        return await scoring

    result = asyncio.run(rerank_while_the_loop_runs())
    monkeypatch.undo()
    assert docids(result[0] if "batch" in method else result) == docids(ours.rerank(request_))


def test_a_fusing_reranker_mixes_in_the_scores_of_the_candidates_it_reranks(fusing, passages, query, request_):
    hits = [(one.docid, one.doc["text"], one.score) for one in request_.candidates[:4]]
    own = fusing.rerank(query, hits)
    result = RankLLMReranker(fusing).rerank(request_, rank_end=4)
    assert list(zip(docids(result), scores(result), strict=True))[:4] == [(hit.docid, hit.score) for hit in own]
    assert docids(result)[4:] == docids(request_)[4:]
    assert scores(result) == sorted(scores(result), reverse=True)


def test_the_rerankers_own_depth_and_fusion_count(reranker, request_):
    fused = QPeftReranker(reranker.scorer, RerankConfig(depth=4, fusion=FusionConfig(weight=0.0)))
    result = RankLLMReranker(fused).rerank(request_)
    assert docids(result) == docids(request_)
    assert scores(result) == sorted(scores(result), reverse=True)
    dropping = QPeftReranker(reranker.scorer, RerankConfig(depth=2, below_depth="drop", fusion=None))
    assert sorted(docids(RankLLMReranker(dropping).rerank(request_))) == sorted(docids(request_)[:2])


def test_rank_llms_data_writer_takes_the_results(reranker, request_, tmp_path):
    results = RankLLMReranker(reranker).rerank_batch([request_], rank_end=4)
    writer = DataWriter(results)
    writer.write_in_json_format(str(tmp_path / "results.json"))
    writer.write_in_jsonl_format(str(tmp_path / "results.jsonl"))
    writer.write_in_trec_eval_format(str(tmp_path / "results.txt"))
    writer.write_inference_invocations_history(str(tmp_path / "history.json"))

    for name in ("results.json", "results.jsonl"):
        (again,) = rank_llm_data.read_requests_from_file(str(tmp_path / name))
        assert again.query == results[0].query
        assert again.candidates == results[0].candidates
    lines = [line.split() for line in (tmp_path / "results.txt").read_text(encoding="utf-8").splitlines()]
    assert [(line[2], float(line[4])) for line in lines] == [(c.docid, c.score) for c in results[0].candidates]
    assert json.loads((tmp_path / "history.json").read_text())[0]["invocations_history"] == []


def test_rank_llms_reranker_writes_its_files_under_our_name(rank_llm_reranker, reranker, request_, tmp_path):
    ours = rank_llm_reranker(RankLLMReranker(reranker, name="qpeft-r"))
    run = ours.write_rerank_results(
        "BM25",
        ours.rerank_batch([request_]),
        dataset_name="dl19",
        rerank_results_dirname=str(tmp_path / "results"),
        inference_invocations_history_dirname=str(tmp_path / "history"),
    )
    assert "/BM25/qpeft-r_100_dl19_" in run
    assert ours.get_model_coordinator().get_name() == "qpeft-r"
    assert len(list((tmp_path / "results" / "BM25").iterdir())) == 2


def test_a_request_file_of_rank_llm_goes_through(reranker, request_, tmp_path):
    path = tmp_path / "requests.jsonl"
    DataWriter(request_).write_in_jsonl_format(str(path))
    (read,) = rank_llm_data.read_requests_from_file(str(path))
    assert RankLLMReranker(reranker).rerank(read) == RankLLMReranker(reranker).rerank(request_)
