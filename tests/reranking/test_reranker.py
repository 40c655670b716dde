"""The reranker keeps the rules that users of rerankers count on."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import adapted, tiny_tokenizer

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker, RerankConfig, ScoringConfig
from pyserini_qpeft.interop.beir import BeirReranker
from pyserini_qpeft.interop.rank_llm import RankLLMReranker
from pyserini_qpeft.models.registry import fusion_weight
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.searcher import RerankingSearcher
from pyserini_qpeft.scoring.report import ScoringReport
from pyserini_qpeft.scoring.scorer import LikelihoodScorer

PASSAGES = {
    "d1": "Paris is the capital of France.",
    "d2": "The Nile runs through Egypt and is a river.",
    "d3": "Aaron is a prophet, high priest and the brother of Moses.",
    "d4": "",
    "d5": "Linda Davis sings Does He Love Me with Reba. 日本 🗼",
}
QUERY = "what is the name of the river"
HITS = [(docid, text, 10.0 - place) for place, (docid, text) in enumerate(PASSAGES.items())]


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    """Ranks by the likelihood alone."""
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", config=RerankConfig(fusion=None))


def configured(reranker: QPeftReranker, **changes: Any) -> QPeftReranker:
    scorer = reranker.scorer
    if "scoring" in changes:
        scorer = LikelihoodScorer(scorer.model, scorer.encoder.tokenizer, changes["scoring"])
    return QPeftReranker(scorer, RerankConfig(**{"fusion": None, **changes}))


def test_hits_come_out_by_descending_likelihood_with_both_scores_and_ranks(reranker: QPeftReranker) -> None:
    ranked = reranker.rerank(QUERY, HITS)
    likelihoods = dict(zip(PASSAGES, reranker.score(QUERY, list(PASSAGES.values())), strict=True))
    assert [hit.docid for hit in ranked] == sorted(PASSAGES, key=lambda docid: -likelihoods[docid])
    assert [hit.rank for hit in ranked] == [1, 2, 3, 4, 5]
    for hit in ranked:
        assert hit.score == hit.likelihood == pytest.approx(likelihoods[hit.docid], abs=1e-6)
        assert hit.first_stage_rank == list(PASSAGES).index(hit.docid) + 1
        assert hit.first_stage_score == 10.0 - list(PASSAGES).index(hit.docid)
        assert hit.text == PASSAGES[hit.docid]


@pytest.mark.parametrize("fusion", [None, FusionConfig(), FusionConfig("rrf"), FusionConfig("minmax", 0.9)])
@pytest.mark.parametrize("depth", [0, 1, 3, 5, 99])
def test_what_was_not_rescored_never_rises_above_what_was(
    reranker: QPeftReranker, depth: int, fusion: FusionConfig | None
) -> None:
    ranked = configured(reranker, depth=depth, fusion=fusion).rerank(QUERY, HITS)
    by_score = sorted(ranked, key=lambda hit: -hit.score)
    assert [hit.docid for hit in by_score] == [hit.docid for hit in ranked]
    assert [hit.docid for hit in ranked[depth:]] == list(PASSAGES)[depth:]
    assert {hit.docid for hit in ranked[:depth]} == set(list(PASSAGES)[:depth])
    assert [hit.rank for hit in ranked] == [1, 2, 3, 4, 5]
    assert all((hit.likelihood is None) == (hit.first_stage_rank > depth) for hit in ranked)
    dropped = configured(reranker, depth=depth, fusion=fusion, below_depth="drop").rerank(QUERY, HITS)
    assert [hit.docid for hit in dropped] == [hit.docid for hit in ranked[:depth]]


def test_depth_zero_is_the_first_stage_unchanged(reranker: QPeftReranker) -> None:
    ranked = configured(reranker, depth=0).rerank(QUERY, HITS)
    assert [(hit.docid, hit.score) for hit in ranked] == [(docid, score) for docid, _, score in HITS]


def test_the_default_is_fused_with_the_weight_that_comes_with_the_model(
    reranker: QPeftReranker, tiny_model_dir: Path
) -> None:
    loaded = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    weight = fusion_weight(str(tiny_model_dir))
    assert loaded.config.fusion == QPeftReranker(reranker.scorer).config.fusion == FusionConfig(weight=weight)
    ranked = loaded.rerank(QUERY, HITS)
    fused = configured(reranker, fusion=FusionConfig(weight=weight)).rerank(QUERY, HITS)
    assert [hit.docid for hit in ranked] == [hit.docid for hit in fused]
    assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in fused], abs=1e-4)
    likelihoods = {hit.docid: hit.likelihood for hit in reranker.rerank(QUERY, HITS)}
    assert {hit.docid: hit.likelihood for hit in ranked} == pytest.approx(likelihoods, abs=1e-6)
    assert [hit.score for hit in ranked] != [hit.likelihood for hit in ranked]
    shipped = QPeftReranker.from_pretrained(dtype="float32", device="cpu")
    assert (
        shipped.config.fusion == QPeftReranker(shipped.scorer).config.fusion == FusionConfig(weight=fusion_weight(None))
    )


def test_scores_and_predictions_are_likelihoods_whatever_the_fusion(reranker: QPeftReranker) -> None:
    fused, texts = configured(reranker, fusion=FusionConfig(weight=0.1)), list(PASSAGES.values())
    np.testing.assert_array_equal(fused.score(QUERY, texts), reranker.score(QUERY, texts))
    assert fused.explain(QUERY, texts[0]) == reranker.explain(QUERY, texts[0])


@pytest.mark.parametrize(
    "scores", [[2.0] * 5, [5.0, 4.0, float("nan"), 2.0, 1.0], [float("inf"), 4.0, 3.0, 2.0, 1.0], [None] * 5]
)
@pytest.mark.parametrize("method", ["zscore", "minmax", "linear", "rrf"])
def test_without_usable_first_stage_scores_the_likelihood_ranks_and_one_warning_says_so(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture, scores: list[Any], method: Any
) -> None:
    hits = [
        {"docid": docid, "text": text, "score": score}
        for (docid, text), score in zip(PASSAGES.items(), scores, strict=True)
    ]
    fused = configured(reranker, fusion=FusionConfig(method, 0.4))
    batch = fused.rerank_batch([(QUERY, hits), ("who sings", hits), ("the brother", HITS)])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert QUERY in caplog.text
    assert "ranked by the likelihood alone" in caplog.text
    for query, ranked in zip([QUERY, "who sings"], batch, strict=False):
        alone = reranker.rerank(query, hits)
        assert [hit.docid for hit in ranked] == [hit.docid for hit in alone]
        assert all(hit.score == hit.likelihood for hit in ranked)
    assert any(hit.score != hit.likelihood for hit in batch[2])


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("score", [1.0, float("nan"), None])
def test_lists_in_which_nothing_can_move_need_no_warning(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture, depth: int, score: float | None
) -> None:
    hits = [{"docid": docid, "text": text, "score": score} for docid, text in PASSAGES.items()]
    shallow = configured(reranker, depth=depth, fusion=FusionConfig(weight=0.4))
    ranked = shallow.rerank(QUERY, hits)
    assert [hit.docid for hit in ranked] == list(PASSAGES)
    assert all(np.isfinite(hit.score) for hit in ranked)
    configured(reranker, fusion=FusionConfig(weight=0.4)).rerank(QUERY, hits[:1])
    assert caplog.records == []


def test_each_call_has_a_report_of_its_own(reranker: QPeftReranker) -> None:
    stream = reranker.rerank_stream([(QUERY, HITS)])
    reports = [ScoringReport(), ScoringReport()]
    batches = [[(QUERY, HITS[:2])], [(QUERY, HITS[:3])]]
    calls = [
        reranker.rerank_query_batches([batch], CallOptions(report=report))
        for batch, report in zip(batches, reports, strict=True)
    ]
    for call in calls:
        next(call)
    assert [report.passages for report in reports] == [2, 3]
    assert reranker.last_report is reports[1]
    next(stream)
    assert reranker.last_report.passages == 5
    assert [report.passages for report in reports] == [2, 3]


@pytest.mark.parametrize("bytes_kept", [0, 60_000])
def test_four_threads_that_share_one_reranker_get_the_rankings_and_reports_of_one_thread(
    reranker: QPeftReranker, in_threads: Any, bytes_kept: int
) -> None:
    scoring = ScoringConfig(passage_cache_bytes=bytes_kept, query_batch_pairs=10)
    shared = configured(reranker, fusion=FusionConfig(weight=0.4), scoring=scoring, depth=4)
    texts = list(PASSAGES.values())

    def mixed_calls(query: str, other: str) -> Any:
        def call() -> dict[str, Any]:
            report = ScoringReport()
            requests = [(query, HITS), (other, HITS[2:]), (query, HITS[::-1])]
            reported = shared.rerank_query_batches([requests[:2], requests[2:]], CallOptions(report=report))
            return {
                "lists": [
                    shared.rerank(query, HITS),
                    *(one.hits for one in reported),
                    *shared.rerank_batch(requests),
                    *shared.rerank_stream(requests),
                ],
                "scores": np.concatenate([shared.score(query, texts), shared.predict([(other, one) for one in texts])]),
                "report": (report.passages, report.tokens, report.passages_cut, report.tokens_cut),
            }

        return call

    queries = [QUERY, "who sings", "the brother of Moses", "é"]
    calls = [mixed_calls(query, other) for query, other in zip(queries, queries[1:] + queries[:1], strict=True)]
    alone = [call() for call in calls]
    for ours, theirs in zip(in_threads(calls), alone, strict=True):
        assert ours["report"] == theirs["report"]
        np.testing.assert_allclose(ours["scores"], theirs["scores"], atol=1e-5)
        for one, other in zip(ours["lists"], theirs["lists"], strict=True):
            assert [hit.docid for hit in one] == [hit.docid for hit in other]
            assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-4)


def test_the_progress_bar_counts_passages_and_moves_within_a_query_batch(
    reranker: QPeftReranker, capsys: pytest.CaptureFixture[str]
) -> None:
    scoring = ScoringConfig(batch_tokens=60)
    shown = configured(reranker, progress=True, depth=4, scoring=scoring)
    shown.rerank_batch([(QUERY, HITS), ("who sings", HITS)])
    assert "8/8" in (drawn := capsys.readouterr().err)
    assert "passages/s" in drawn
    configured(reranker, depth=4, scoring=scoring).rerank_batch([(QUERY, HITS)])
    assert capsys.readouterr().err == ""
    counts: list[int] = []
    stream = shown.rerank_query_batches([[(QUERY, HITS), ("who sings", HITS)]], CallOptions(on_scored=counts.append))
    assert counts == []
    next(stream)
    assert sum(counts) == 8
    assert len(counts) > 1


def test_hints_are_kept_when_asked_for_and_are_those_that_scored(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    hinted = QPeftReranker.from_pretrained(
        tiny_model_dir, tmp_path, dtype="float32", config=RerankConfig(depth=3, fusion=FusionConfig(weight=0.4))
    )
    (kept,) = hinted.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True))
    assert kept.hints is not None
    for hit, tokens in zip(kept.hits, kept.hints, strict=True):
        assert tokens == (hinted.hints(QUERY, [PASSAGES[hit.docid]])[0] if hit.first_stage_rank <= 3 else None)
    (cut,) = hinted.rerank_query_batches([[(QUERY, HITS)]], CallOptions(hints=True, k=2))
    assert (cut.hits, cut.hints) == (kept.hits[:2], kept.hints[:2])
    (without,) = hinted.rerank_query_batches([[(QUERY, HITS)]])
    assert without.hints is None


def test_equal_scores_keep_the_order_of_the_first_stage(reranker: QPeftReranker) -> None:
    same = [(docid, "the same words", 1.0) for docid in ("z", "a", "m", "b")]
    assert [hit.docid for hit in reranker.rerank(QUERY, same)] == ["z", "a", "m", "b"]
    fused = configured(reranker, fusion=FusionConfig()).rerank(QUERY, same)
    assert [hit.docid for hit in fused] == ["z", "a", "m", "b"]
    graded = [(docid, "the same words", 4.0 - place // 2) for place, (docid, _, _) in enumerate(same)]
    assert [hit.docid for hit in configured(reranker, fusion=FusionConfig()).rerank(QUERY, graded)] == list("zamb")


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(5)))
def test_scores_do_not_depend_on_the_order_of_the_hits(reranker: QPeftReranker, order: list[int]) -> None:
    straight = {hit.docid: hit.score for hit in reranker.rerank(QUERY, HITS)}
    shuffled = {hit.docid: hit.score for hit in reranker.rerank(QUERY, [HITS[i] for i in order])}
    assert shuffled == pytest.approx(straight, abs=1e-5)


def test_the_input_is_never_changed_and_odd_input_is_taken(reranker: QPeftReranker) -> None:
    hits = [SimpleNamespace(docid=7, score=np.float32(2), text="Paris"), SimpleNamespace(docid=7, score=1, text="Nile")]
    before = [dict(vars(hit)) for hit in hits]
    ranked = reranker.rerank(QUERY, hits)
    assert [vars(hit) for hit in hits] == before
    assert [hit.docid for hit in ranked] == ["7", "7"]
    assert reranker.rerank(QUERY, []) == []
    assert reranker.rerank_batch([]) == []
    assert reranker.score(QUERY, []).shape == (0,)


def test_texts_alone_are_ranked_by_their_likelihoods_without_a_warning(
    reranker: QPeftReranker, caplog: pytest.LogCaptureFixture
) -> None:
    texts = list(PASSAGES.values())
    fused = configured(reranker, fusion=FusionConfig(weight=0.4), depth=3, below_depth="keep")
    ranked = fused.rerank(QUERY, texts)
    scores = reranker.score(QUERY, texts[:3])
    assert [hit.docid for hit in ranked] == [*np.argsort(-scores).astype(str), "3", "4"]
    assert [hit.text for hit in ranked[:3]] == [texts[int(hit.docid)] for hit in ranked[:3]]
    assert [hit.docid for hit in reranker.rerank(QUERY, np.array(texts), k=1)] == [
        str(reranker.score(QUERY, texts).argmax())
    ]
    assert caplog.records == []


def test_hits_may_be_frames_and_mappings_and_a_corpus_a_list(reranker: QPeftReranker) -> None:
    plain = reranker.rerank(QUERY, HITS)
    frame = pd.DataFrame(HITS, columns=["docno", "text", "score"])
    found = {place: 10.0 - place for place in range(5)}
    for ranked in (
        reranker.rerank(QUERY, frame),
        reranker.rerank(QUERY, {docid: score for docid, _, score in reversed(HITS)}, corpus=PASSAGES),
        *reranker.rerank_batch([(QUERY, frame)]),
        *reranker.rerank_stream([(QUERY, frame)]),
    ):
        assert ranked == plain
    by_place = reranker.rerank(QUERY, found, corpus=list(PASSAGES.values()))
    assert [list(PASSAGES)[int(hit.docid)] for hit in by_place] == [hit.docid for hit in plain]


def test_a_reranker_says_what_it_is(reranker: QPeftReranker, tiny_model_dir: Path, tmp_path: Path) -> None:
    assert repr(reranker) == (
        f"QPeftReranker(model='{tiny_model_dir}', adapter='none', dtype=float32, depth=all, fusion=none)"
    )
    assert repr(configured(reranker, depth=20, fusion=FusionConfig("rrf", 0.25))).endswith(
        "depth=20, fusion=rrf with weight 0.25)"
    )
    shipped = repr(QPeftReranker.from_pretrained(device="cpu", dtype="bfloat16"))
    assert shipped.startswith("QPeftReranker(model='tiny', adapter='retrieval', dtype=bfloat16")
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    assert f"adapter='{tmp_path}'" in repr(QPeftReranker.from_pretrained(tiny_model_dir, tmp_path))


@pytest.mark.parametrize("value", [None, float("nan"), 17, b"bytes", ["a list"]])
def test_what_is_not_a_string_is_refused_with_its_place(reranker: QPeftReranker, value: Any) -> None:
    calls = {
        r"text 2 must be a string": lambda: reranker.score(QUERY, ["a text", value]),
        r"the query must be a string": lambda: reranker.score(value, ["a text"]),
        r"the text of pair 2 must be a string": lambda: reranker.predict([(QUERY, "a text"), (QUERY, value)]),
        r"the query of pair 1 must be a string": lambda: reranker.predict([[value, "a text"]]),
        r"the text of pair 1 must be a string": lambda: reranker.predict((QUERY, value)),
        r"pair 2 must be \(query, text\)": lambda: reranker.predict([(QUERY, "a text"), value]),
        r"^the query must be a string": lambda: reranker.rerank(value, HITS),
        r"the query of request 2 must be a string": lambda: reranker.rerank_batch([(QUERY, HITS), (value, HITS)]),
        r"hit 1 is not \(docid, text, score\)": lambda: reranker.rerank(QUERY, [("d1", value, 1.0)]),
        r"no text for document d1": lambda: reranker.rerank(QUERY, [{"docid": "d1", "text": value, "score": 1.0}]),
        r"^text 1 must be a string": lambda: reranker.hints(QUERY, [value]),
        r"the text must be a string": lambda: reranker.explain(QUERY, value),
    }
    for sentence, call in calls.items():
        with pytest.raises(QPeftError, match=sentence):
            call()
    if value is not None:
        with pytest.raises(QPeftError, match=r"the text of document d1 must be a string"):
            reranker.rerank(QUERY, [("d1", 1.0)], corpus=lambda docid: value)


@pytest.mark.parametrize("texts", ["one text", b"one text", None, 17])
def test_one_text_in_place_of_a_list_is_refused(reranker: QPeftReranker, texts: Any) -> None:
    for call in (lambda: reranker.score(QUERY, texts), lambda: reranker.hints(QUERY, texts)):
        with pytest.raises(QPeftError, match="the texts must be a list of strings, not"):
            call()
    with pytest.raises(QPeftError, match=r"\(query, text\) pairs are needed, not"):
        reranker.predict(texts)


def test_lone_surrogates_are_repaired_as_in_files(reranker: QPeftReranker) -> None:
    broken, repaired = "the river \ud800 Nile", "the river \ufffd Nile"
    expected = reranker.score(repaired, [repaired])
    np.testing.assert_array_equal(reranker.score(broken, [broken]), expected)
    np.testing.assert_array_equal(reranker.predict([(broken, broken)]), expected)
    assert reranker.explain(broken, broken) == reranker.explain(repaired, repaired)
    for hits, corpus in (([("d1", broken, 1.0)], None), ([("d1", 1.0)], {"d1": broken})):
        (hit,) = reranker.rerank(broken, hits, corpus=corpus)
        assert (hit.text, hit.likelihood) == (repaired, pytest.approx(float(expected[0])))


def test_many_queries_at_once_rank_as_each_alone(reranker: QPeftReranker) -> None:
    requests = [(query, HITS[start:]) for start, query in enumerate([QUERY, "who sings", "the brother of Moses", "é"])]
    small_batches = configured(reranker, scoring=ScoringConfig(query_batch_pairs=4))
    for batch in (reranker.rerank_batch(requests), small_batches.rerank_batch(requests)):
        for (query, hits), ranked in zip(requests, batch, strict=True):
            alone = reranker.rerank(query, hits)
            assert [hit.docid for hit in ranked] == [hit.docid for hit in alone]
            assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in alone], abs=1e-5)


def test_a_stream_works_ahead_no_further_than_its_query_batch(reranker: QPeftReranker) -> None:
    taken = []

    def requests() -> Any:
        for place in range(20):
            taken.append(place)
            yield QUERY, HITS

    stream = configured(reranker, scoring=ScoringConfig(query_batch_pairs=10)).rerank_stream(requests())
    next(stream)
    assert len(taken) == 2


def test_k_cuts_after_reranking(reranker: QPeftReranker) -> None:
    assert reranker.rerank(QUERY, HITS, k=2) == reranker.rerank(QUERY, HITS)[:2]


@pytest.mark.parametrize(
    "door",
    [
        lambda reranker: reranker.rerank("q", ["a"], k=-1),
        lambda reranker: asyncio.run(reranker.arerank("q", ["a"], k=-1)),
        lambda reranker: reranker.rerank_batch([("q", ["a"])], k=-1),
        lambda reranker: list(reranker.rerank_stream([("q", ["a"])], k=-1)),
        lambda reranker: reranker.rank("q", ["a"], top_k=-1),
        lambda reranker: RerankingSearcher(SimpleNamespace(search=None), reranker).search("q", k=-1),
        lambda reranker: RerankingSearcher(SimpleNamespace(search=None), reranker).batch_search(["q"], ["1"], k=-1),
        lambda reranker: BeirReranker(reranker).rerank({}, {"1": "q"}, {"1": {"a": 1.0}}, -1),
        lambda reranker: RankLLMReranker(reranker).rerank_batch([], top_k_retrieve=-1),
    ],
)
def test_a_negative_number_of_hits_is_refused_and_cuts_nothing_from_the_end(reranker: QPeftReranker, door: Any) -> None:
    with pytest.raises(QPeftError, match="must not be negative, and is -1"):
        door(reranker)
    assert reranker.rerank("q", ["a"], k=0) == []


def test_texts_come_from_a_corpus_or_a_searcher_and_a_missing_one_is_named(reranker: QPeftReranker) -> None:
    bare = [(docid, score) for docid, _, score in HITS]
    expected = [hit.docid for hit in reranker.rerank(QUERY, HITS)]
    assert [hit.docid for hit in reranker.rerank(QUERY, bare, corpus=PASSAGES)] == expected

    class Searcher:
        def doc(self, docid: str) -> Any:
            text = PASSAGES[docid]
            return SimpleNamespace(raw=lambda: text, contents=lambda: text)

    assert [hit.docid for hit in reranker.rerank(QUERY, bare, searcher=Searcher())] == expected
    with pytest.raises(QPeftError, match=r"d4.*corpus"):
        reranker.rerank(QUERY, bare, corpus={docid: PASSAGES[docid] for docid in ("d1", "d2", "d3", "d5")})


def test_a_score_that_is_no_number_names_query_and_document(tiny_model_dir: Path) -> None:
    broken = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    with torch.no_grad():
        broken.scorer.model.get_input_embeddings().weight[5:] = float("nan")
    with pytest.raises(QPeftError, match=r"'d1' for query 'what is the name of the river' is nan"):
        broken.rerank(QUERY, HITS)


def test_an_explanation_adds_up_to_the_score(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    reranker = QPeftReranker.from_pretrained(tiny_model_dir, tmp_path / "adapter", dtype="float32")
    bare = QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32")
    explanation = reranker.explain(QUERY, PASSAGES["d2"])
    assert explanation.score == pytest.approx(float(reranker.score(QUERY, [PASSAGES["d2"]])[0]), abs=1e-5)
    assert np.mean([token.logprob for token in explanation.tokens]) == pytest.approx(explanation.score, abs=1e-5)
    without = np.mean([token.logprob_without_hints for token in explanation.tokens])
    assert without == pytest.approx(float(bare.score(QUERY, [PASSAGES["d2"]])[0]), abs=1e-5)
    assert without != pytest.approx(explanation.score, abs=1e-3)
    assert "".join(token.token for token in explanation.tokens).strip() == QUERY
    assert explanation.hints
    assert all(hint.token in PASSAGES["d2"] for hint in explanation.hints)


def test_the_report_counts_passages_tokens_and_cuts(reranker: QPeftReranker) -> None:
    short = configured(reranker, scoring=ScoringConfig())
    short.rerank(QUERY, HITS)
    assert short.last_report.passages == 5
    assert short.last_report.tokens_cut == short.last_report.passages_cut == 0
    assert short.last_report.passages_per_second > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"model": "no/such/folder"}, "there is no folder 'no/such/folder'"),
        ({"model": "no-such-hub-id"}, "cannot load 'no-such-hub-id'"),
        ({"device": "quantum"}, "unknown or absent device 'quantum'"),
        ({"dtype": "float7"}, "unknown dtype 'float7'"),
        ({"adapter": "./nothing"}, "there is no folder './nothing' to load a PEFT adapter from"),
        ({"adapter": "no-such-hub-id"}, "cannot load the adapter 'no-such-hub-id'"),
    ],
)
def test_what_cannot_be_loaded_is_named(tiny_model_dir: Path, arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(QPeftError, match=sentence):
        QPeftReranker.from_pretrained(**{"model": tiny_model_dir, **arguments})


def test_an_adapter_folder_without_weights_is_named(tiny_model_dir: Path, tmp_path: Path) -> None:
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(QPeftError, match=r"has no adapter_model\.safetensors"):
        QPeftReranker.from_pretrained(tiny_model_dir, tmp_path)


def test_a_model_that_is_no_causal_language_model_is_named(tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=400, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(QPeftError, match="as a causal language model"):
        QPeftReranker.from_pretrained(tmp_path)


def test_weights_in_pickle_are_refused(tmp_path: Path, tiny_model_dir: Path) -> None:
    for path in tiny_model_dir.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(QPeftError, match="cannot load"):
        QPeftReranker.from_pretrained(tmp_path)


@pytest.mark.parametrize("variant", ["retrieval", "attention"])
def test_a_pretrained_model_made_elsewhere_learns_a_step_and_scores_the_same_when_loaded(
    shared: Path, tmp_path: Path, variant: str
) -> None:
    from peft import get_peft_model

    from pyserini_qpeft import QPeftConfig
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.models.loading import load_model
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.training.pair_scorer import PairScorer

    options: dict[str, Any] = {"device": "cpu", "dtype": "float32"}
    texts = list(PASSAGES.values())
    bare = QPeftReranker.from_pretrained(shared / "models", **options).score(QUERY, texts)
    assert np.isfinite(bare).all()
    base, tokenizer = load_model(ModelConfig(model=str(shared / "models"), **options))
    words = tokenizer("please write a question for this passage\n", add_special_tokens=False)["input_ids"]
    model = get_peft_model(base, QPeftConfig(instruction_ids=words, variant=variant, num_hints=5)).eval()
    trained = QPeftReranker(LikelihoodScorer(model, tokenizer))
    before = trained.score(QUERY, texts)

    batch = trained.scorer.row_scorer.collate(
        [[one] for one in trained.scorer.sequences([(QUERY, text) for text in texts])]
    )
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.001)
    (-PairScorer(model)([batch]).mean()).backward()
    optimizer.step()

    after = trained.score(QUERY, texts)
    assert after.mean() > before.mean()
    model.save_pretrained(tmp_path)
    loaded = QPeftReranker.from_pretrained(shared / "models", tmp_path, **options)
    np.testing.assert_allclose(loaded.score(QUERY, texts), after, rtol=0, atol=1e-5)
