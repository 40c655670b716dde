"""Whatever files and texts hold, there is a result or one sentence. QPEFT_FUZZ_CASES sets the number of cases."""

import gzip
import json
import math
import os
import shutil
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from pyserini_qpeft.cli.__main__ import main
from pyserini_qpeft.data import stored_run
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.data.text_index import TextIndex, build_text_index
from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError

CASES = int(os.environ.get("QPEFT_FUZZ_CASES", "2000"))

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


SAMPLES = {
    "run": [b"1 Q0 a 1 2.5 x\n1 Q0 b 2 1.5 x\n2 Q0 a 1 1 x\n", b"1\ta\t1\n1\tb\t2\n"],
    "qrels": [b"1 0 a 1\n1 0 b 0\n", b"query-id\tcorpus-id\tscore\n1\ta\t1\n"],
    "topics": [
        b"1\tquery\n2\tother\n",
        b"<top>\n<num> Number: 1\n<title> a &amp; <b>b</b>\n<desc> x\n</top>\n",
        b'<topic number="1"><query>a</query></topic>',
        b"12:5:query\n13:6:other\n",
        b"who\t['he', 'she']\n",
        b"enwiki:A%20b/C\n",
    ],
    "corpus": [b'{"_id": "1", "title": "t", "text": "x"}\n{"_id": "a", "text": "y"}\n'],
    "examples": [b'[{"question": "q", "positive_ctxs": [{"text": "a"}], "hard_negative_ctxs": [{"text": "b"}]}]'],
    "ranked lists": [
        b'{"qid": "1", "query": "q", "hits": [{"docid": "a", "score": 1, "rank": 1, "first_stage_score": 2, '
        b'"first_stage_rank": 1, "text": "t", "likelihood": -1}]}\n'
    ],
}
SAMPLES["large run"] = [*SAMPLES["run"], *SAMPLES["ranked lists"]]
SAMPLES["answers"] = [*SAMPLES["topics"], b'{"_id": "1", "text": "q", "answers": ["a"]}\n']
SAMPLES["wanted passages"] = SAMPLES["database of passages"] = SAMPLES["corpus"]


@st.composite
def damaged(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    """A good file with a few bytes replaced, inserted or cut out, plain or gzipped."""
    content = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 6))
        content[start : start + length] = draw(st.binary(max_size=4) | st.sampled_from([content[:20], b"\n", b"\x00"]))
    if draw(st.integers(0, 5)):
        return bytes(content)
    zipped = gzip.compress(bytes(content))
    return zipped[: draw(st.integers(0, len(zipped)))] if draw(st.booleans()) else zipped


def read_as_large(path: Path) -> object:
    """Reads a run as if its file were large."""
    kept, stored_run.KEPT_IN_MEMORY_BYTES = stored_run.KEPT_IN_MEMORY_BYTES, 0
    try:
        return dict(read_run(path))
    finally:
        stored_run.KEPT_IN_MEMORY_BYTES = kept


def build_and_read(path: Path) -> object:
    """Builds a database of passages and reads it."""
    index = path.with_name("fuzzed.sqlite")
    index.unlink(missing_ok=True)
    build_text_index(path, index)
    return dict(TextIndex(index))


READERS |= {"large run": read_as_large, "database of passages": build_and_read}


@pytest.mark.parametrize("name", READERS)
@hypothesis.settings(max_examples=max(1, CASES * 7 // 10 // len(READERS)), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_reader_returns_or_raises_one_sentence(name: str, data: st.DataObject, tmp_path_factory) -> None:
    zipped = st.binary(max_size=20).map(lambda b: b"\x1f\x8b" + b)
    content = data.draw(st.one_of(damaged(SAMPLES[name]), JSON, COLUMNS, st.binary(max_size=40), zipped))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    try:
        READERS[name](path)
    except QPeftError as error:
        message = str(error).replace(str(path), "")
        assert message
        assert "\n" not in message


CONTROL = st.sampled_from(
    ["<s>", "</s>", "<pad>", "<|endoftext|>", "\ud83d", "\x00", "\u202e", "a\u0301", "\n", "   ", "🙂"]
)
TEXTS = st.lists(CONTROL | st.text(max_size=12), max_size=6).map("".join)


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path):
    from pyserini_qpeft import FusionConfig, QPeftReranker, RerankConfig

    config = RerankConfig(fusion=FusionConfig("minmax", 0.5))
    return QPeftReranker.from_pretrained(tiny_model_dir, config=config, dtype="float32", device="cpu")


@hypothesis.settings(max_examples=max(1, CASES // 5), suppress_health_check=list(HealthCheck))
@given(query=TEXTS.filter(str.strip), passages=st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_has_a_finite_score_that_is_the_same_alone_and_in_a_batch(query, passages, reranker) -> None:
    scores = reranker.score(query, passages)
    assert np.isfinite(scores).all()
    assert (scores <= 0).all()
    alone = [float(reranker.score(query, [passage])[0]) for passage in passages]
    assert scores.tolist() == pytest.approx(alone, abs=2e-5)
    hits = reranker.rerank(query, [(f"d{n}", text, float(-n)) for n, text in enumerate(passages)])
    assert sorted(hit.docid for hit in hits) == sorted(f"d{n}" for n in range(len(passages)))
    assert all(math.isfinite(hit.score) for hit in hits)


@hypothesis.settings(max_examples=max(1, CASES // 40), suppress_health_check=list(HealthCheck))
@given(query=TEXTS.filter(str.strip), passages=st.lists(TEXTS, min_size=1, max_size=3))
def test_the_command_line_loses_no_hit_of_any_text(query, passages, tiny_model_dir, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "topics.jsonl").write_text(json.dumps({"_id": "1", "text": query}))
    documents = [{"_id": str(n), "text": text} for n, text in enumerate(passages)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "run.txt").write_text("".join(f"1 Q0 {n} 1 {-n} x\n" for n in range(len(passages))))
    files = {
        name: folder / f"{name}.{kind}" for name, kind in (("run", "txt"), ("topics", "jsonl"), ("corpus", "jsonl"))
    }
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    model = ["--model", str(tiny_model_dir), "--dtype", "float32", "--device", "cpu", "--quiet"]
    assert main(["rerank", *options, *model, "--output", str(folder / "out")]) == 0
    written = [line.split() for line in (folder / "out").read_text().splitlines()]
    assert sorted(line[2] for line in written) == [str(n) for n in range(len(passages))]
    assert all(math.isfinite(float(line[4])) for line in written)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an adapter of the tiny model."""
    from tiny import adapted, tiny_tokenizer

    folder = tmp_path_factory.mktemp("adapter")
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(folder)
    return folder


@hypothesis.settings(max_examples=max(1, CASES // 40), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_model_or_adapter_is_refused_or_scores(data, adapter, tiny_model_dir, tmp_path_factory) -> None:
    from pyserini_qpeft import QPeftReranker

    folder = tmp_path_factory.mktemp("damaged")
    copies = {name: shutil.copytree(place, folder / name) for name, place in (("m", tiny_model_dir), ("a", adapter))}
    files = sorted(
        file for copy in copies.values() for file in copy.iterdir() if file.suffix in (".json", ".safetensors")
    )
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        # The head of a safetensors file is where its structure is.
        place = data.draw(st.integers(0, min(len(content), 3000)))
        content[place : place + data.draw(st.integers(0, 5))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"-1", b"null", b'"x"', b"{}", b"[]", b"1e99", b"true"])
        )
    file.write_bytes(bytes(content))
    try:
        reranker = QPeftReranker.from_pretrained(copies["m"], adapter=copies["a"], dtype="float32", device="cpu")
        assert len(reranker.score("which river", ["the Nile"])) == 1
    except QPeftError:
        pass
    finally:
        shutil.rmtree(folder)
