"""DPR's JSON is read as a stream, whatever its layout, and every mistake in it has its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data import json_stream
from pyserini_qpeft.data.dpr import ExampleReader, read_examples, write_examples
from pyserini_qpeft.data.examples import Overlap, TrainingExample, TrainingPassage, fingerprint, overlap
from pyserini_qpeft.errors import QPeftError

NILE = {
    "question": "what runs through Egypt?",
    "answers": ["the Nile"],
    "positive_ctxs": [{"title": "Nile", "text": "A river in Égypte.", "passage_id": "7", "score": 12.5}],
    "negative_ctxs": [{"title": "", "text": "never read where there are hard ones"}],
    "hard_negative_ctxs": [{"title": "Paris", "text": "The Seine runs through it."}, {"title": "", "text": "Amazon"}],
}
TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("layout", ["array", "lines"])
def test_arrays_and_lines_read_the_same(layout: str, indent: int | None, tmp_path: Path) -> None:
    records = [NILE, {**NILE, "question": "second"}]
    text = (
        json.dumps(records, indent=indent)
        if layout == "array"
        else "\n".join(json.dumps(record, indent=indent) for record in records)
    )
    examples, _ = read_examples([write(tmp_path / "train.json", text)])
    assert [example.query for example in examples] == ["what runs through Egypt?", "second"]
    first = examples[0]
    assert [passage.text for passage in first.positives] == ["Nile\nA river in Égypte."]
    assert (first.positives[0].docid, first.positives[0].score) == ("7", 12.5)
    assert [passage.text for passage in first.negatives] == ["Paris\nThe Seine runs through it.", "Amazon"]
    assert first.answers == ("the Nile",)


def test_a_gzipped_file_reads_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "train.json.gz"
    packed.write_bytes(gzip.compress(json.dumps([NILE]).encode()))
    assert read_examples([packed])[0] == read_examples([write(tmp_path / "a.json", json.dumps([NILE]))])[0]


def test_other_negatives_serve_where_there_are_no_hard_ones(tmp_path: Path) -> None:
    file = write(tmp_path / "train.json", json.dumps([{**NILE, "hard_negative_ctxs": []}]))
    assert [p.text for p in read_examples([file])[0][0].negatives] == ["never read where there are hard ones"]


@given(
    records=st.lists(st.tuples(TEXTS, TEXTS, st.lists(TEXTS, max_size=3)), min_size=1, max_size=5),
    chunk=st.integers(1, 60),
)
def test_what_is_written_is_read_again_however_the_file_is_cut(
    records: list[tuple[str, str, list[str]]], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def passage(text: str, docid: str, score: float | None) -> TrainingPassage:
        return TrainingPassage(docid, "", text, text.strip(), score)

    examples = [
        TrainingExample(
            str(place),
            query.strip(),
            (passage(positive, "p", None),),
            tuple(passage(text, f"n{n}", float(n)) for n, text in enumerate(negatives)),
        )
        for place, (query, positive, negatives) in enumerate(records)
    ]
    file = tmp_path_factory.mktemp("examples") / "train.json"
    assert write_examples(file, examples) == len(examples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        again, report = read_examples([file])
    assert [example.query for example in again] == [example.query for example in examples]
    assert [example.positives[0].text for example in again] == [e.positives[0].text for e in examples]
    kept = sum(p.text != e.positives[0].text for e in examples for p in e.negatives)
    assert sum(len(example.negatives) for example in again) == kept
    assert report.questions == len(examples)


def test_a_large_file_is_read_one_object_at_a_time(tmp_path: Path) -> None:
    file = write(tmp_path / "train.json", json.dumps([NILE] * 5000) + "]{broken")
    reader = ExampleReader().read(file)
    for _ in range(100):
        assert next(reader).answers == ("the Nile",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"train.json is empty"),
        ("[]", r"none of the 0 questions has a positive"),
        ('[\n{"question": "a",\n "positive_ctxs": [}\n]', r"train.json:3: broken JSON"),
        ('{"question": "a", "positive_ctxs": []}\n{"question": "b", \n', r"train.json:[23]: broken JSON"),
        ('[{"question": "a", "positive_ctxs": [{"text": "b"}]}', r"the array is not closed"),
        ('{"question": "a", "n": ' + "1" * 5000 + "}", r"train.json:1: a number in this JSON has too many digits"),
        (
            '{"question": "a", "positive_ctxs": [{"text": "b", "score": ' + "1" * 400 + "}]}",
            r"train.json:1: the score is too large",
        ),
        (
            '{"question": "a", "qid": "\\ud800", "positive_ctxs": []}',
            r"train.json:1: the query id .* half of a surrogate pair",
        ),
        ("[1, 2]", r"train.json:1: expected a JSON object"),
        ('[\n{"question": "a"}]', r"train.json:2: question 'a' has no list positive_ctxs"),
        ('[{"question": " ", "positive_ctxs": []}]', r"train.json:1: the query is empty"),
        ('[{"question": "a", "positive_ctxs": ["b"]}]', r"train.json:1: positive_ctxs must be a list of passages"),
        ('[{"question": "a", "positive_ctxs": [{"text": 5}]}]', r"a title or text that is not a string"),
        ('[{"question": "a", "positive_ctxs": []}]', r"none of the 1 questions has a positive"),
    ],
)
def test_a_mistake_has_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(QPeftError, match=message):
        read_examples([write(tmp_path / "train.json", text)])


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(QPeftError, match="no such file"):
        read_examples([tmp_path / "none.json"])
    with pytest.raises(QPeftError, match="qpeft mine"):
        read_examples([tmp_path])


def test_what_cannot_be_trained_on_is_left_out_and_counted(tmp_path: Path, caplog: Any) -> None:
    without = {**NILE, "positive_ctxs": []}
    both = {
        **NILE,
        "hard_negative_ctxs": [*NILE["hard_negative_ctxs"], {"title": "Nile", "text": "A river in Égypte."}],
    }
    examples, report = read_examples([write(tmp_path / "train.json", json.dumps([without, both]))])
    assert (report.questions, report.without_positives, report.positives_among_negatives) == (2, 1, 1)
    assert [passage.text for passage in examples[0].negatives] == ["Paris\nThe Seine runs through it.", "Amazon"]
    assert "1 of 2 questions have no positive passage" in caplog.text
    assert "1 negatives are also positives of the same question" in caplog.text


def test_overlap_looks_past_case_and_blanks(tmp_path: Path) -> None:
    train, _ = read_examples([write(tmp_path / "train.json", json.dumps([NILE]))])
    changed = {**NILE, "question": "What runs  through EGYPT?"}
    dev, _ = read_examples([write(tmp_path / "dev.json", json.dumps([changed, {**NILE, "question": "x"}]))])
    assert overlap(dev, train) == Overlap(queries=1, passages=1)
    assert overlap([], train) == Overlap(0, 0)
    assert fingerprint(dev) != fingerprint(dev[::-1]) != fingerprint(train)
