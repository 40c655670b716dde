"""`qpeft rerank`: JSONL as output and as input."""

import json
import shutil

import pytest


def test_json_has_texts_and_both_scores(qpeft, arguments, written, run_file, lists):
    assert qpeft(*arguments(output_format="jsonl", depth="2")).code == 0
    record = json.loads(written.read_text().splitlines()[0])
    assert (record["qid"], record["query"]) == ("q1", "which river flows through the capital")
    assert all(hit["text"] and hit["likelihood"] < 0 for hit in record["hits"][:2])
    first = lists(run_file)["q1"]
    assert [first[hit["first_stage_rank"] - 1] for hit in record["hits"]] == [
        (hit["docid"], hit["first_stage_score"]) for hit in record["hits"]
    ]


def test_json_names_the_hints_of_an_adapter(qpeft, arguments, written, tmp_path):
    from tiny import adapted, tiny_tokenizer

    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    assert qpeft(*arguments(output_format="jsonl", adapter=tmp_path / "adapter")).code == 0
    for line in written.read_text().splitlines():
        for hit in json.loads(line)["hits"]:
            assert hit["hints"]
            whole = [hint for hint in hit["hints"] if "\ufffd" not in hint]  # a token may be part of a letter
            assert all(hint in hit["text"] for hint in whole)


def test_the_runs_own_json_can_be_reranked_again_without_topics_or_texts(qpeft, arguments, written, tmp_path, scores):
    assert qpeft(*arguments()).code == 0
    plain = scores(written)
    assert qpeft(*arguments(output_format="jsonl")).code == 0
    stored = shutil.copy(written, tmp_path / "stored.jsonl")
    assert qpeft(*arguments(run=stored, topics=None, corpus=None)).code == 0
    assert scores(written) == pytest.approx(plain, abs=1e-5)


def test_rank_llm_requests_bring_queries_and_texts(qpeft, arguments, written, tmp_path, lists):
    candidates = [
        {"docid": 1, "score": 2.0, "doc": {"title": "The Nile", "segment": "a river"}},
        {"docid": 2, "score": 1.0, "doc": {"contents": "a city"}},
    ]
    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps({"query": {"qid": 5, "text": "which river"}, "candidates": candidates}))
    assert qpeft(*arguments(run=requests, topics=None, corpus=None)).code == 0
    assert {docid for docid, _ in lists(written)["5"]} == {"1", "2"}


def test_json_is_another_word_for_jsonl(qpeft, arguments, written):
    assert qpeft(*arguments(output_format="jsonl")).code == 0
    jsonl = written.read_bytes()
    assert qpeft(*arguments(output_format="json")).code == 0
    assert written.read_bytes() == jsonl
