"""A run that stays in its file reads as one that is kept in memory."""

import csv
import gzip
import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data import stored_run
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.data.runs import read_run, write_run
from pyserini_qpeft.data.stored_run import StoredQueries
from pyserini_qpeft.errors import QPeftError

IDS = st.text("ab1é🙂\u00a0", min_size=1, max_size=3)
SCORES = st.floats(-5, 5, allow_nan=False, width=16)
HITS = st.lists(st.tuples(IDS, SCORES), min_size=1, max_size=5)
RUNS = st.dictionaries(IDS, HITS, min_size=1, max_size=5)


@pytest.fixture
def stored(monkeypatch):
    """Reads a run as a large one is read."""

    def read(path):
        monkeypatch.setattr(stored_run, "KEPT_IN_MEMORY_BYTES", 0)
        run = read_run(path)
        monkeypatch.undo()
        return run

    return read


def both(path) -> tuple[object, object]:
    """The run in memory and the run in its file, and what is logged."""
    in_memory = read_run(path)
    kept, stored_run.KEPT_IN_MEMORY_BYTES = stored_run.KEPT_IN_MEMORY_BYTES, 0
    try:
        return in_memory, read_run(path)
    finally:
        stored_run.KEPT_IN_MEMORY_BYTES = kept


@given(run=RUNS, zipped=st.booleans(), end=st.sampled_from(["\n", "\r\n"]), blank=st.booleans(), last=st.booleans())
def test_both_are_equal(run, zipped, end, blank, last, tmp_path_factory):
    lines = [f" {qid}\tQ0 {docid} 1 {score!r} x" for qid, hits in run.items() for docid, score in hits]
    text = (end + (end if blank else "")).join(lines) + (end if last else "")
    path = tmp_path_factory.getbasetemp() / "stored"
    path.write_bytes(gzip.compress(text.encode()) if zipped else ("\ufeff" + text).encode())
    in_memory, stored = both(path)
    assert isinstance(stored, StoredQueries)
    assert isinstance(in_memory, dict)
    assert dict(stored) == in_memory
    assert list(stored) == list(in_memory)
    assert len(stored) == len(in_memory)


@given(
    run=st.dictionaries(
        IDS.filter(str.strip), st.lists(st.tuples(IDS.filter(str.strip), SCORES), max_size=5), min_size=1
    ),
    form=st.sampled_from(["lines", "pretty", "array", "pretty array"]),
    zipped=st.booleans(),
    marked=st.booleans(),
    ids=st.booleans(),
    texts=st.booleans(),
)
def test_json_runs_are_equal_too(run, form, zipped, marked, ids, texts, tmp_path_factory):
    records = [
        {
            **({"qid": qid} if ids else {}),
            "question": f"q {qid}",
            "hits": [{"docid": d, "score": score, **({"text": f"é {d}"} if texts else {})} for d, score in hits],
        }
        for qid, hits in run.items()
    ]
    indent = 1 if form.startswith("pretty") else None
    if form.endswith("array"):
        text = json.dumps(records, indent=indent, ensure_ascii=False)
    else:
        text = "\n".join(json.dumps(record, indent=indent, ensure_ascii=False) for record in records)
    path = tmp_path_factory.getbasetemp() / "stored"
    content = ("\ufeff" if marked else "").encode() + text.encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    in_memory, stored = both(path)
    assert isinstance(stored, StoredQueries)
    assert dict(stored) == in_memory
    assert list(stored) == list(in_memory)


CSV_IDS = st.text('a,"é🙂\u00a0 ', min_size=1, max_size=3).filter(str.strip)


@given(
    run=st.dictionaries(CSV_IDS, st.lists(st.tuples(CSV_IDS, SCORES), min_size=1, max_size=5), min_size=1),
    names=st.permutations(["qid", "docno", "score", "rank"]),
    zipped=st.booleans(),
    marked=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_csv_runs_are_equal_too(run, names, zipped, marked, end, tmp_path_factory):
    rows = [
        [{"qid": qid, "docno": docid, "score": repr(score), "rank": "7"}[name] for name in names]
        for qid, hits in run.items()
        for docid, score in hits
    ]
    file = io.StringIO()
    csv.writer(file, lineterminator=end).writerows([names, *rows])
    content = ("\ufeff" if marked else "").encode() + file.getvalue().encode()
    path = tmp_path_factory.getbasetemp() / "stored"
    path.write_bytes(gzip.compress(content) if zipped else content)
    in_memory, stored = both(path)
    assert isinstance(stored, StoredQueries)
    assert dict(stored) == in_memory
    assert list(stored) == list(in_memory)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,b", "run:3: 2 fields, where the header has 3"),
        ("1,b,high", "run:3: the score 'high' is not a number"),
        (",b,1", "run:3: the query id is missing"),
    ],
)
def test_a_mistake_in_csv_is_named_before_anything_is_done(tmp_path, stored, row, message):
    path = tmp_path / "run"
    path.write_text(f"qid,docno,score\n1,a,2\n{row}\n")
    with pytest.raises(QPeftError, match=message):
        stored(path)


def test_reranked_lists_stay_in_their_file_too(tmp_path, monkeypatch):
    hits = [RankedHit("a", 2.0, 1, 5.0, 2, "é\n", -1.5), RankedHit("b", 1.0, 2, 6.0, 1, None, -2.5)]
    lists = [RankedList(qid, f"query {qid}", hits, seconds=0.5) for qid in ("2", "1", "3")]
    write_run(tmp_path / "run", lists, "jsonl")
    in_memory = read_ranked_lists(tmp_path / "run")
    assert isinstance(in_memory, list)
    monkeypatch.setattr(stored_run, "KEPT_IN_MEMORY_BYTES", 0)
    stored = read_ranked_lists(tmp_path / "run")
    assert not isinstance(stored, list)
    for _ in range(2):
        assert list(stored) == in_memory
    assert len(stored) == 3


def test_an_object_with_all_queries_is_kept_in_memory(tmp_path, stored):
    path = tmp_path / "run"
    entry = {"question": "q", "contexts": [{"docid": "a", "score": 1}]}
    path.write_text(json.dumps({"1": entry, "2": entry}))
    run = stored(path)
    assert isinstance(run, dict)
    assert list(run) == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"qid": "1", "hits": []}\n{"qid": "1", "hits": []}', "run:2: query 1 occurs a second time"),
        ('[{"qid": "1", "hits": []},\n{"qid": "2"}]', "run:2: no list of hits"),
        ('[{"qid": "1", "hits": []},\n{"qid": "2", "hits": [', "run:2: broken JSON"),
    ],
)
def test_a_mistake_in_json_is_named_before_anything_is_done(tmp_path, stored, content, message):
    path = tmp_path / "run"
    path.write_text(content)
    with pytest.raises(QPeftError, match=message):
        stored(path)


def test_msmarco_runs_are_streamed_too(tmp_path, stored):
    path = tmp_path / "run"
    path.write_text("1\ta\t1\n1\tb\t2\n2\ta\t1\n")
    assert dict(stored(path)) == read_run(path)


def test_a_run_whose_queries_are_mixed_is_kept_in_memory(tmp_path, stored):
    path = tmp_path / "run"
    path.write_text("1 Q0 a 1 2 x\n2 Q0 a 1 2 x\n1 Q0 b 2 1 x\n")
    run = stored(path)
    assert isinstance(run, dict)
    assert [hit.docid for hit in run["1"]] == ["a", "b"]


@pytest.mark.parametrize("line", ["2 Q0 a 1 high x", "2 Q0 a", "2 Q0 a 1 nan x", "2 Q0 \udc80 1 1 x"])
def test_a_mistake_is_named_before_anything_is_done(tmp_path, stored, line):
    path = tmp_path / "run"
    path.write_bytes(b"1 Q0 a 1 2 x\n\n" + line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(QPeftError, match="run:3"):
        stored(path)


def test_repeated_docids_are_counted_once(tmp_path, stored, caplog):
    path = tmp_path / "run"
    path.write_text("1 Q0 a 1 2 x\n1 Q0 a 2 1 x\n2 Q0 a 1 2 x\n")
    with caplog.at_level(logging.WARNING):
        run = stored(path)
    assert [hit.score for hit in run["1"]] == [2.0]
    assert [record.getMessage().count("1 hits repeat a docid") for record in caplog.records] == [1]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, stored):
    path = tmp_path / "run"
    path.write_text("1 Q0 a 1 2 x\n2 Q0 b 1 2 x\n")
    run = stored(path)
    with path.open("a") as file:
        file.write("3 Q0 c 1 2 x\n")
    with pytest.raises(QPeftError, match="run changed while it was read"):
        run.get("2")


def test_threads_may_share_a_run(tmp_path, stored, in_threads):
    path = tmp_path / "run"
    path.write_text("".join(f"{q} Q0 d{q}x{n} 1 {-n} x\n" for q in range(30) for n in range(20)))
    run = stored(path)
    expected = read_run(path)
    for read in in_threads([lambda: dict(run)] * 4):
        assert read == expected
