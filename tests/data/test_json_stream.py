"""Objects of a file come out the same however the file is laid out and wherever a chunk ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data import json_stream
from pyserini_qpeft.data.json_stream import json_objects
from pyserini_qpeft.errors import QPeftError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(
    st.dictionaries(st.text(), VALUES, max_size=4).map(lambda one: {"query": 1.5, **one}), min_size=1, max_size=5
)
LAYOUTS = ("lines", "array", "array of lines", "object of objects")


def laid_out(objects: list[dict], layout: str, indent: int | None, ascii_only: bool) -> str:
    def dumps(value: object) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    if layout == "array":
        return dumps(objects)
    if layout == "array of lines":
        return "[\n" + ",\n".join(map(dumps, objects)) + "\n]\n"
    if layout == "object of objects":
        return dumps({str(n): one for n, one in enumerate(objects)})
    return "\n\n".join(map(dumps, objects))


@given(
    objects=OBJECTS,
    layout=st.sampled_from(LAYOUTS),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    chunk=st.integers(1, 50),
)
def test_objects_are_the_same_in_every_layout(objects, layout, indent, ascii_only, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "file"
    path.write_bytes(laid_out(objects, layout, indent, ascii_only).encode("utf-8", "surrogatepass"))
    expected = [{**one, "_id": str(n)} for n, one in enumerate(objects)] if layout == "object of objects" else objects

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert [record for _, record in json_objects(path, what="records")] == expected


@given(objects=OBJECTS, layout=st.sampled_from(["lines", "array of lines"]), chunk=st.integers(1, 50), data=st.data())
def test_a_file_that_is_cut_is_refused_with_a_line_of_the_file(objects, layout, chunk, data, tmp_path_factory):
    whole = laid_out(objects, layout, 1, True).rstrip()
    ends = [place for place, letter in enumerate(whole) if letter == "}"]
    # Lines that are cut behind a whole object are whole.
    cut = data.draw(
        st.integers(1, len(whole) - 1).filter(
            lambda place: layout != "lines" or len(whole[:place].rstrip()) - 1 not in ends
        )
    )
    text = whole[:cut]
    path = tmp_path_factory.mktemp("json") / "file"
    path.write_text(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        with pytest.raises(QPeftError, match=r"file:\d+: broken JSON") as refused:
            list(json_objects(path, what="records"))

    assert 1 <= int(str(refused.value).split(":")[1]) <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is empty, where records was expected"),
        (b'{"a": 1}\n5\n', "file:2: expected a JSON object for records, not int"),
        (b'{"a": 1}\n{"b": "caf\xe9"}\n', "file:2: not UTF-8"),
        (b'{"a": 1} {"b": 2}\n', "file:1: broken JSON: more text after the object"),
        (b'{"a": 1}\n{"a": ' + b"[" * 100_000, "file:2: JSON is nested too deeply"),
        (b'{"a": 1}\n{"a": ' + b"1" * 5000 + b"}", "file:2: a number in this JSON has too many digits"),
        (b'{"a": "b\nc"}\n', "file:1: broken JSON: Invalid control character"),
    ],
)
def test_what_is_no_json_of_objects_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(QPeftError, match=message):
        list(json_objects(tmp_path / "file", what="records"))


def test_a_file_of_another_kind_is_not_called_broken_json(tmp_path):
    (tmp_path / "run.txt").write_text("q1 Q0 d1 1 3.0 bm25\n")
    with pytest.raises(QPeftError, match=r"run\.txt:1: not JSON, where records was expected"):
        list(json_objects(tmp_path / "run.txt", what="records"))
