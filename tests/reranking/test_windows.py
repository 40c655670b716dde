"""Long documents through windows: likelihoods, best passages, reports, runs that were stopped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import WORDS, adapted, tiny_tokenizer

from pyserini_qpeft import QPeftError, QPeftReranker, RerankConfig, RunConfig, ScoringConfig, rerank_run
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.windows.config import COMBINE, WindowConfig
from pyserini_qpeft.windows.passage_run import FoldedRun

TOKENIZER = tiny_tokenizer()
SIZE = 24
QUERIES = ["which river", "who is the brother of Moses", "the capital"]
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=2, max_size=8).map(
    lambda words: " ".join(words).capitalize() + "."
)
DOCUMENT = st.tuples(st.sampled_from(["", "The Nile\n", "Egypt\n"]), st.lists(SENTENCE, max_size=8)).map(
    lambda parts: parts[0] + " ".join(parts[1])
)
FEW = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def scorer() -> LikelihoodScorer:
    model = adapted("llama", TOKENIZER, variant="retrieval")
    return LikelihoodScorer(model, TOKENIZER, ScoringConfig(passage_tokens=SIZE, query_batch_pairs=40))


def windowed(scorer: LikelihoodScorer, **changes: Any) -> QPeftReranker:
    return QPeftReranker(scorer, RerankConfig(fusion=None, windows=WindowConfig(**changes)))


def tokens(scorer: LikelihoodScorer, text: str) -> int:
    return len(scorer.token_spans([text])[0])


@FEW
@given(documents=st.lists(DOCUMENT, min_size=1, max_size=5), combine=st.sampled_from(COMBINE))
def test_a_document_has_the_likelihood_that_its_windows_have_as_passages(
    scorer: LikelihoodScorer, documents: list[str], combine: Any
) -> None:
    plain, reranker = QPeftReranker(scorer, RerankConfig(fusion=None)), windowed(scorer, combine=combine, title=False)
    hits = reranker.rerank(QUERIES[0], documents)
    assert sorted(hit.docid for hit in hits) == sorted(str(place) for place in range(len(documents)))
    for hit in hits:
        assert hit.text == documents[int(hit.docid)]
        passages = [hit.text[one.start : one.stop] for one in hit.windows]
        alone = plain.score(QUERIES[0], passages)
        np.testing.assert_allclose([one.likelihood for one in hit.windows], alone, atol=1e-4)
        expected = {
            "max": alone.max(),
            "first": alone[0],
            "mean": np.sort(alone)[-3:].mean(),
            "smooth": 0.3 * np.log(np.exp(alone.astype(float) / 0.3).mean()),
        }[combine]
        assert hit.score == hit.likelihood == pytest.approx(expected, abs=1e-4)
        best = hit.best_passage
        assert best is not None
        assert (best.text, best.likelihood) == (
            passages[int(alone.argmax())],
            max(one.likelihood for one in hit.windows),
        )
    np.testing.assert_allclose(
        reranker.score(QUERIES[0], documents),
        [hit.likelihood for hit in sorted(hits, key=lambda hit: hit.first_stage_rank)],
        atol=1e-4,
    )


@FEW
@given(lists=st.lists(st.lists(DOCUMENT, max_size=4), min_size=2, max_size=3), combine=st.sampled_from(COMBINE))
def test_a_query_gets_the_same_windows_and_likelihoods_alone_and_in_a_batch(
    scorer: LikelihoodScorer, lists: list[list[str]], combine: Any
) -> None:
    reranker = windowed(scorer, combine=combine)
    requests = list(zip(QUERIES, lists, strict=False))
    for together, (query, documents) in zip(reranker.rerank_batch(requests), requests, strict=True):
        alone = {hit.docid: hit for hit in reranker.rerank(query, documents)}
        assert alone.keys() == {hit.docid for hit in together}
        for hit in together:
            other = alone[hit.docid]
            assert hit.likelihood == pytest.approx(other.likelihood, abs=1e-4)
            assert [(one.start, one.stop) for one in hit.windows] == [(one.start, one.stop) for one in other.windows]
            found, expected = ([one.likelihood for one in some.windows] for some in (hit, other))
            assert found == pytest.approx(expected, abs=1e-4)


@FEW
@given(documents=st.lists(DOCUMENT, min_size=1, max_size=4))
def test_documents_of_one_window_are_scored_as_without_windows(scorer: LikelihoodScorer, documents: list[str]) -> None:
    plain, reranker = QPeftReranker(scorer, RerankConfig(fusion=None)), windowed(scorer)
    short = [text for text in documents if tokens(scorer, text) <= SIZE]
    np.testing.assert_allclose(reranker.score(QUERIES[0], short), plain.score(QUERIES[0], short), atol=1e-5)


LONG = "The Nile\n" + " ".join(f"The river {word} flows through Egypt and France. It is long!" for word in WORDS)


def test_windows_that_documents_share_are_read_once(scorer: LikelihoodScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = windowed(scorer)
    read: list[int] = []
    score = scorer.row_scorer.score

    def counted(rows: Any, *rest: Any) -> Any:
        read.append(sum(map(len, rows)))
        return score(rows, *rest)

    monkeypatch.setattr(scorer.row_scorer, "score", counted)
    (once,) = reranker.rerank(QUERIES[0], [("a", LONG, 1.0)])
    alone, read[:] = sum(read), []
    longer = f"{LONG} A last sentence about a prophet and his song."
    hits = reranker.rerank(QUERIES[0], [("a", LONG, 3.0), ("b", LONG, 2.0), ("c", longer, 1.0)])
    assert alone == len({LONG[one.start : one.stop] for one in once.windows}) > 8
    assert sum(read) <= alone + 3
    assert len({hit.likelihood for hit in hits if hit.docid in "ab"}) == 1


def test_the_report_counts_documents_windows_and_what_was_not_read(scorer: LikelihoodScorer) -> None:
    texts = [LONG, "short", LONG]
    done: list[int] = []
    reranker = windowed(scorer)
    (reranked,) = reranker.rerank_query_batches([[(QUERIES[0], texts)]], CallOptions(on_scored=done.append))
    count = len(reranked.hits[0].windows)
    report = reranker.last_report
    assert reranked.passages == report.passages == sum(done) == 3
    assert report.windows == sum(len(hit.windows) for hit in reranked.hits) > count
    assert (report.passages_cut, report.tokens_cut) == (0, 0)
    first = windowed(scorer, combine="first")
    hits = first.rerank(QUERIES[0], texts)
    assert {len(hit.windows) for hit in hits} == {1}
    report = first.last_report
    assert (report.windows, report.passages_cut) == (3, 2)
    read = tokens(scorer, LONG[: next(hit for hit in hits if hit.text == LONG).windows[0].stop])
    assert report.tokens_cut == 2 * (tokens(scorer, LONG) - read)
    two = windowed(scorer, most=2)
    assert {len(hit.windows) for hit in two.rerank(QUERIES[0], [LONG])} == {2}


def test_the_hints_of_a_document_are_those_of_its_best_window(scorer: LikelihoodScorer) -> None:
    reranker = windowed(scorer)
    (reranked,) = reranker.rerank_query_batches([[(QUERIES[0], [LONG, "short"])]], CallOptions(hints=True))
    assert reranked.hints is not None
    for hit, hints in zip(reranked.hits, reranked.hints, strict=True):
        best = hit.best_passage
        assert best is not None
        title = "" if best.start == 0 else "The Nile\n"
        assert [hints] == QPeftReranker(scorer).hints(QUERIES[0], [f"{title}{best.text}"])


@pytest.mark.parametrize("combine", COMBINE)
def test_an_explanation_shows_the_windows_and_takes_the_best_apart(scorer: LikelihoodScorer, combine: Any) -> None:
    reranker = windowed(scorer, combine=combine)
    (hit,) = reranker.rerank(QUERIES[0], [LONG])
    explanation = reranker.explain(QUERIES[0], LONG)
    assert explanation.score == pytest.approx(hit.likelihood, abs=1e-4)
    assert [(one.start, one.stop) for one in explanation.windows] == [(one.start, one.stop) for one in hit.windows]
    best = explanation.best_window
    assert best is not None
    assert np.mean([token.logprob for token in explanation.tokens]) == pytest.approx(best.likelihood, abs=1e-4)
    places = [(hint.token, place) for hint in explanation.hints for place in hint.places]
    assert places
    assert all(LONG[start:stop] == token for token, (start, stop) in places)
    in_title = [place for _, place in places if place[1] <= len("The Nile")]
    assert all(best.start <= start < stop <= best.stop for _, (start, stop) in places if (start, stop) not in in_title)
    assert (explanation.tokens_cut > 0) == (combine == "first") == (explanation.read < len(LONG))


def test_a_window_longer_than_a_passage_is_refused(scorer: LikelihoodScorer) -> None:
    with pytest.raises(QPeftError, match=f"a window of 25 tokens is longer than the {SIZE} tokens"):
        windowed(scorer, size=25)


def test_documents_given_as_passages_need_windows(scorer: LikelihoodScorer) -> None:
    hits = [ScoredDoc("d", 1.0, passages=(ScoredDoc("d#0", 1.0, "the river"),))]
    with pytest.raises(QPeftError, match="document d is given as passages, which are scored as windows"):
        QPeftReranker(scorer).rerank(QUERIES[0], hits)


PASSAGES = {"d#0": "The Nile\nA river of Egypt.", "d#1": "The Nile\nA song.", "e#4": LONG, "f#2": "Paris"}


def test_passages_of_a_document_are_its_windows_with_their_docids(scorer: LikelihoodScorer) -> None:
    run = {"q": [ScoredDoc(docid, 9.0 - place) for place, docid in enumerate(["d#1", "e#4", "d#0", "f#2"])]}
    reranker = windowed(scorer)
    hits = {hit.docid: hit for hit in reranker.rerank(QUERIES[0], FoldedRun(run)["q"], corpus=PASSAGES)}
    assert hits.keys() == {"d", "e", "f"}
    assert hits["d"].text == f"{PASSAGES['d#0']}\n{PASSAGES['d#1']}"
    assert [one.docid for one in hits["d"].windows] == ["d#0", "d#1"]
    for hit in hits.values():
        ids = {one.docid for one in hit.windows}
        likelihoods = reranker.score(QUERIES[0], [PASSAGES[docid] for docid in sorted(ids)])
        assert hit.likelihood == pytest.approx(likelihoods.max(), abs=1e-4)
        assert hit.best_passage is not None
        assert hit.best_passage.docid == sorted(ids)[int(likelihoods.argmax())]
    assert len(hits["e"].windows) > 8
    assert {hits["e"].text[one.start : one.stop] in LONG for one in hits["e"].windows} == {True}


def test_a_document_keeps_its_passages_when_it_is_ranked_again(scorer: LikelihoodScorer) -> None:
    run = {"q": [ScoredDoc(docid, 9.0 - place) for place, docid in enumerate(["d#1", "e#4", "d#0", "f#2"])]}
    reranker = windowed(scorer)
    once = reranker.rerank(QUERIES[0], FoldedRun(run)["q"], corpus=PASSAGES)
    again = reranker.rerank(QUERIES[0], once)
    for hit, other in zip(once, again, strict=True):
        assert (hit.docid, hit.text) == (other.docid, other.text)
        assert [(one.start, one.stop, one.docid) for one in hit.windows] == [
            (one.start, one.stop, one.docid) for one in other.windows
        ]


def _run(scorer: LikelihoodScorer, output: Path, config: WindowConfig, stop: int | None, **changes: Any) -> None:
    """Reranks a run; `stop` ends it like a kill after this many queries."""
    run = {f"q{n}": [ScoredDoc("a", 3.0), ScoredDoc("b", 2.0), ScoredDoc("c", 1.0)] for n in range(len(QUERIES))}
    topics = {f"q{n}": query for n, query in enumerate(QUERIES)}
    corpus = {"a": LONG, "b": LONG[20:], "c": "short"}
    reranker = QPeftReranker(scorer, RerankConfig(windows=config, **changes))
    if stop is not None:
        reranker.rerank_query_batches = _stopped(reranker.rerank_query_batches, stop)  # type: ignore[method-assign]
    rerank_run(run, topics, RunConfig(output, format="jsonl"), reranker, corpus=corpus)


def _stopped(call: Callable[..., Any], stop: int) -> Callable[..., Any]:
    def until(*args: Any, **kwargs: Any) -> Any:
        for place, one in enumerate(call(*args, **kwargs)):
            if place == stop:
                raise KeyboardInterrupt
            yield one

    return until


def test_a_run_that_was_stopped_goes_on_with_the_same_windows_only(scorer: LikelihoodScorer, tmp_path: Path) -> None:
    config = WindowConfig("mean", stride=10)
    _run(scorer, tmp_path / "whole", config, None)
    with pytest.raises(KeyboardInterrupt):
        _run(scorer, tmp_path / "stopped", config, 1)
    for other in (WindowConfig("max", stride=10), WindowConfig("mean", stride=11), WindowConfig("mean"), None):
        with pytest.raises(QPeftError, match="is an unfinished run with windows"):
            _run(scorer, tmp_path / "stopped", other, None)  # type: ignore[arg-type]
    _run(scorer, tmp_path / "stopped", config, None)
    assert (tmp_path / "stopped").read_bytes() == (tmp_path / "whole").read_bytes()
    first = json.loads((tmp_path / "whole").read_text().splitlines()[0])["hits"][0]
    assert (
        first["text"][first["best_passage"]["start"] : first["best_passage"]["stop"]] == first["best_passage"]["text"]
    )


def test_a_run_of_passages_that_was_stopped_goes_on_with_the_same_passages_only(
    scorer: LikelihoodScorer, tmp_path: Path
) -> None:
    def write(output: str, hits: dict[str, list[ScoredDoc]], stop: int | None = None, unfold: bool = False) -> None:
        reranker = windowed(scorer)
        if stop is not None:
            reranker.rerank_query_batches = _stopped(reranker.rerank_query_batches, stop)  # type: ignore[method-assign]
        topics = {f"q{n}": query for n, query in enumerate(QUERIES)}
        config = RunConfig(tmp_path / output, unfold=unfold)
        rerank_run(FoldedRun(hits), topics, config, reranker, corpus=PASSAGES)

    docids = ["d#1", "e#4", "d#0", "f#2"]
    hits = {f"q{n}": [ScoredDoc(docid, 9.0 - place) for place, docid in enumerate(docids)] for n in range(3)}
    fewer = {qid: [hit for hit in found if hit.docid != "d#0"] for qid, found in hits.items()}
    write("whole", hits)
    with pytest.raises(KeyboardInterrupt):
        write("stopped", hits, 2)
    with pytest.raises(QPeftError, match="is an unfinished run with run"):
        write("stopped", fewer)
    with pytest.raises(QPeftError, match="is an unfinished run with unfold"):
        write("stopped", hits, unfold=True)
    write("stopped", hits)
    assert (tmp_path / "stopped").read_bytes() == (tmp_path / "whole").read_bytes()
    write("unfolded", hits, unfold=True)
    lines = [line.split() for line in (tmp_path / "unfolded").read_text().splitlines()]
    documents = [line.split() for line in (tmp_path / "whole").read_text().splitlines()]
    for qid in hits:
        unfolded = [line[2] for line in lines if line[0] == qid]
        assert sorted(unfolded) == sorted(docids)
        assert list(dict.fromkeys(docid.split("#")[0] for docid in unfolded)) == [
            line[2] for line in documents if line[0] == qid
        ]
