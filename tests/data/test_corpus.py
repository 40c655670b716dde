import gzip
import json
import shutil

import pytest

from pyserini_qpeft.data.corpus import Corpus, Document, iter_documents
from pyserini_qpeft.errors import QPeftError

DOCUMENTS = [
    {"_id": "MED-1", "title": "Statins", "text": "and cancer\u2028survival", "metadata": {}},
    {"_id": 2, "title": "", "text": "no title"},
    {"text": 'id last, "quoted"', "_id": 'odd "id"'},
    {"_id": "only-title", "title": "Only a title", "text": ""},
    {"id": "4", "contents": '"Aaron"\nAaron is a prophet.'},
]
PASSAGES = {
    "MED-1": "Statins\nand cancer\u2028survival",
    "2": "no title",
    'odd "id"': 'id last, "quoted"',
    "only-title": "Only a title",
    "4": "Aaron\nAaron is a prophet.",
}


@pytest.fixture(params=["corpus.jsonl", "corpus.jsonl.gz"])
def folder(request, tmp_path):
    """A BEIR folder, plain or gzipped."""
    content = "\n".join(json.dumps(document, ensure_ascii=False) for document in DOCUMENTS).encode()
    zipped = request.param.endswith(".gz")
    (tmp_path / request.param).write_bytes(gzip.compress(content) if zipped else content)
    return tmp_path


def test_a_folder_and_its_file_hold_the_same_passages_in_order(folder):
    for place in (folder, next(folder.iterdir())):
        assert list(Corpus.open(place).items()) == list(PASSAGES.items())


def test_only_the_passages_that_are_wanted_are_kept(folder):
    corpus = Corpus.open(folder, docids=["2", 'odd "id"', "4", "unknown"])

    assert dict(corpus) == {docid: PASSAGES[docid] for docid in ("2", 'odd "id"', "4")}
    assert "unknown" not in corpus
    with pytest.raises(KeyError):
        corpus["MED-1"]


def test_no_passages_are_wanted(folder):
    assert len(Corpus.open(folder, docids=[])) == 0


def test_documents_keep_title_and_text_apart(folder):
    assert list(iter_documents(folder))[:2] == [
        Document("MED-1", "Statins", "and cancer\u2028survival"),
        Document("2", "", "no title"),
    ]


def test_a_document_that_occurs_twice_with_one_text_is_one_passage(tmp_path):
    (tmp_path / "c").write_text('{"_id": "1", "title": "T", "text": "a"}\n{"_id": 1, "text": "T\\na"}\n')

    assert dict(Corpus.open(tmp_path / "c")) == {"1": "T\na"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c is empty, where a corpus was expected"),
        ('{"_id": "1", "text": "a"}\n{"_id": "2"', "c:2: broken JSON"),
        ('{"_id": "1", "text": "a"}\n\n["2"]', "c:3: expected a JSON object for a corpus, not str"),
        ('{"text": "a"}', "c:1: the document's _id is missing"),
        ('{"_id": "", "text": "a"}', "c:1: the document's _id is missing"),
        ('{"_id": "1", "title": "T"}', "c:1: document 1 has no text"),
        (
            '{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}',
            "c:2: docid 1 occurs a second time, with another text",
        ),
    ],
)
def test_what_is_no_corpus_is_refused_in_one_sentence(tmp_path, text, message):
    (tmp_path / "c").write_text(text)

    with pytest.raises(QPeftError, match=message):
        Corpus.open(tmp_path / "c")


def test_a_folder_without_a_corpus_and_a_missing_one_are_one_sentence(tmp_path):
    with pytest.raises(QPeftError, match=r"holds no corpus\.jsonl or corpus\.jsonl\.gz: give a BEIR folder"):
        Corpus.open(tmp_path)
    with pytest.raises(QPeftError, match=r"no such file: .*absent"):
        Corpus.open(tmp_path / "absent")


def test_a_plain_corpus_is_taken_where_there_are_both(folder, tmp_path):
    other = tmp_path / ("corpus.jsonl" if (folder / "corpus.jsonl.gz").exists() else "corpus.jsonl.gz")
    shutil.copy(next(folder.iterdir()), other)

    assert len(Corpus.open(folder)) == len(PASSAGES)


MSMARCO_V2 = [
    {"pid": "msmarco_passage_00_100", "passage": "The moon.", "spans": "(0,9)", "docid": "msmarco_doc_00_7"},
    {"docid": "msmarco_doc_00_7", "pid": "msmarco_passage_00_200", "passage": "Yeast.", "spans": "(9,15)"},
    {"docid": "msmarco_v2.1_doc_00_0#1", "title": "T", "segment": "Segment.", "start_char": 0},
    {"docid": "msmarco_doc_00_8", "title": "", "headings": "h", "body": "Body."},
    {"id": "wiki:1", "text": "DPR.", "title": "Title"},
]
MSMARCO_V2_PASSAGES = {
    "msmarco_passage_00_100": "The moon.",
    "msmarco_passage_00_200": "Yeast.",
    "msmarco_v2.1_doc_00_0#1": "T\nSegment.",
    "msmarco_doc_00_8": "Body.",
    "wiki:1": "Title\nDPR.",
}


@pytest.mark.parametrize("wanted", [None, set(MSMARCO_V2_PASSAGES) | {"msmarco_doc_00_7"}])
def test_a_passage_of_msmarco_v2_has_its_own_id_and_not_that_of_its_document(tmp_path, wanted):
    (tmp_path / "c").write_text("\n".join(map(json.dumps, MSMARCO_V2)))

    assert dict(Corpus.open(tmp_path / "c", wanted)) == MSMARCO_V2_PASSAGES
    assert [document.docid for document in iter_documents(tmp_path / "c")] == list(MSMARCO_V2_PASSAGES)


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("layout", ["array", "objects", "object of objects", "object"])
@pytest.mark.parametrize("wanted", [None, ["2"]])
def test_arrays_and_documents_on_several_lines_are_read_too(tmp_path, layout, indent, wanted):
    documents = [{"_id": "1", "title": "T", "text": "a"}, {"_id": "2", "text": "b", "metadata": {}}]
    passages = {"1": "T\na", "2": "b"}
    text = {
        "array": json.dumps(documents, indent=indent),
        "objects": "\n".join(json.dumps(document, indent=indent) for document in documents),
        "object of objects": json.dumps({one["_id"]: {**one, "_id": "x"} for one in documents}, indent=indent),
        "object": json.dumps(documents[1], indent=indent),
    }[layout]
    (tmp_path / "c").write_text(text)

    expected = {docid: passage for docid, passage in passages.items() if layout != "object" or docid == "2"}
    assert dict(Corpus.open(tmp_path / "c", wanted)) == {
        docid: passage for docid, passage in expected.items() if wanted is None or docid in wanted
    }


def test_a_bad_record_that_is_not_wanted_is_counted_and_a_wanted_one_is_refused(tmp_path, caplog):
    (tmp_path / "c").write_text('{"text": "no id"}\n{"title": "no text", "_id": "2"}\n{"_id": "3", "text": "a"}\n')

    assert dict(Corpus.open(tmp_path / "c", ["3"])) == {"3": "a"}
    assert [record.getMessage() for record in caplog.records] == [
        "2 records that no query needs are not documents and are left out, first "
        f"{tmp_path}/c:1: the document's _id is missing"
    ]
    with pytest.raises(QPeftError, match="c:2: document 2 has no text"):
        Corpus.open(tmp_path / "c", ["2"])
    with pytest.raises(QPeftError, match="c:1: the document's _id is missing"):
        Corpus.open(tmp_path / "c")
