"""Whatever a file holds, a reader returns or raises one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError

READERS = {
    "run": read_run,
    "ranked lists": read_ranked_lists,
    "qrels": read_qrels,
    "topics": read_topics,
    "answers": read_answers,
    "corpus": Corpus.open,
    "wanted passages": lambda path: Corpus.open(path, ["1", "a"]),
    "examples": lambda path: read_examples([path]),
}

NAMES = st.sampled_from(
    [
        "_id",
        "id",
        "qid",
        "docid",
        "pid",
        "text",
        "title",
        "query",
        "question",
        "answers",
        "metadata",
        "hits",
        "ctxs",
        "candidates",
        "contexts",
        "doc",
        "score",
        "rank",
        "first_stage_score",
        "first_stage_rank",
        "likelihood",
        "seconds",
        "hints",
        "positive_ctxs",
        "hard_negative_ctxs",
        "passage",
    ]
)
ATOMS = st.one_of(
    st.sampled_from(
        [None, True, 0, 1, -1, 1.5, float("nan"), float("inf"), 10**400, "", " ", "1", "a", "\ud800", "9" * 400]
    ),
    st.text(max_size=3),
)
VALUES = st.recursive(
    ATOMS, lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=5), max_leaves=15
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=3)
JSON = st.one_of(
    RECORDS.map(lambda records: "\n".join(map(json.dumps, records)).encode()),
    RECORDS.map(lambda records: json.dumps(records, indent=1).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
)
WORDS = st.sampled_from(
    ["1", "a", "Q0", "0", "-1", "1e999", "nan", "9" * 5000, "query-id", "['x']", "[", "<top>", "</top>"]
)
MORE_WORDS = WORDS | st.sampled_from(
    ["<num>", "<title>", '<topic number="1">', "{", '"', "\ufeff", "\u00a0", "\x1c", "\x00"]
)
COLUMNS = st.lists(
    st.lists(MORE_WORDS, max_size=7).flatmap(lambda words: st.sampled_from([" ", "\t"]).map(lambda b: b.join(words))),
    max_size=4,
).map(lambda lines: "\n".join(lines).encode())


@pytest.mark.parametrize("name", READERS)
@given(content=st.one_of(JSON, COLUMNS, st.binary(max_size=40), st.binary(max_size=20).map(lambda b: b"\x1f\x8b" + b)))
def test_a_reader_returns_or_raises_one_sentence(name: str, content: bytes, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    try:
        READERS[name](path)
    except QPeftError as error:
        message = str(error).replace(str(path), "")
        assert message
        assert "\n" not in message
