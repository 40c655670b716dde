import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.data.topics import read_answers, read_topics
from pyserini_qpeft.errors import QPeftError

TREC = """<top>
<num> Number: 301
<title> International Organized
        Crime & "x < y"
<desc> Description:
Identify organizations.
</top>

<top>
<num> Number: 302 </num>
<dom> Domain: Medicine
<title> Topic: Poliomyelitis </title>
</top>
"""

COVID = """<topics task="COVIDSearch2020" batch="5">
  <topic number="1"><query>coronavirus origin</query>
    <question>what is the origin of COVID-19</question>
  </topic>
  <topic number="2">
    <title>weather</title>
  </topic>
</topics>
"""


@pytest.fixture
def topics_file(tmp_path):
    def write(text: str):
        path = tmp_path / "topics"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "2\tblood  pressure\n10\tnaïve 🙂\n",
        "qid\tquery\n2\tblood  pressure \r\n\n10\tnaïve 🙂",
        '{"_id": "2", "text": "blood  pressure", "metadata": {}}\n{"_id": 10, "text": "naïve 🙂"}\n',
        '{"qid": 2, "query": "blood  pressure"}\n{"qid": 10, "query": "na\\u00efve \\ud83d\\ude42"}\n',
        '[{"id": 2, "question": "blood  pressure"},\n {"query_id": "10", "title": "naïve 🙂"}]',
        '{"2": {"question": "blood  pressure"},\n "10": {"title": "naïve 🙂"}}',
        '{"query": {"qid": 2, "text": "blood  pressure"}}\n{"query": {"qid": "10", "text": "naïve 🙂"}}',
        '{"qid": "2", "query": "blood  pressure", "hits": []}\n{"qid": "10", "query": "naïve 🙂", "hits": []}',
    ],
)
def test_queries_read_the_same_from_every_form(topics_file, text):
    topics = read_topics(topics_file(text))

    assert topics == {"2": "blood  pressure", "10": "naïve 🙂"}
    assert list(topics) == ["2", "10"]


def test_a_single_query_in_one_line_of_json(topics_file):
    assert read_topics(topics_file('{"_id": "1", "text": "alone"}')) == {"1": "alone"}


def test_the_titles_of_trec_topics_are_the_queries(topics_file):
    assert read_topics(topics_file(TREC)) == {"301": 'International Organized Crime & "x < y"', "302": "Poliomyelitis"}


def test_topics_in_xml_have_their_number_in_an_attribute(topics_file):
    assert read_topics(topics_file(COVID)) == {"1": "coronavirus origin", "2": "weather"}


def test_entities_are_decoded_and_inline_tags_keep_their_text(topics_file):
    text = """<!-- two
    topics --><topics>
    <topic number="07" type="x"><query>AT&amp;T <b>stock</b>
      price &lt;today&gt;</query><question>What?</question></topic>
    <topic number="8"><title><![CDATA[a < b & c]]></title><subtopic number="1">of no use</subtopic></topic></topics>"""
    assert read_topics(topics_file(text)) == {"7": "AT&T stock price <today>", "8": "a < b & c"}


def test_old_topics_without_closing_tags_keep_inline_tags_and_line_breaks(topics_file):
    text = """<top lang='en'>
<head> Tipster Topic Description
<num> Number:  051
<dom> Domain:  International Economics
<title> Topic:  Airbus <i>Subsidies</i>:
more
<desc> Description:
Document will discuss <b>aid</b>.
</top>"""
    assert read_topics(topics_file(text)) == {"51": "Airbus Subsidies : more"}


def test_gzipped_topics_read_the_same(topics_file, tmp_path):
    path = topics_file(TREC)
    (tmp_path / "zipped").write_bytes(gzip.compress(path.read_bytes()))

    assert read_topics(tmp_path / "zipped") == read_topics(path)


def test_a_query_with_half_a_surrogate_pair_can_be_written_again(topics_file):
    query = read_topics(topics_file('{"_id": "1", "text": "broken \\ud83d emoji"}'))["1"]

    assert query.encode("utf-8").decode() == "broken \ufffd emoji"


def test_an_empty_query_is_left_out_with_a_note(topics_file, caplog):
    path = topics_file("1\ta\n2\t \n3\t\n")

    assert read_topics(path) == {"1": "a"}
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 2 queries are empty and are left out, first query 2"
    ]


QUESTIONS = {"0": "who pulls the tides", "1": 'who said "no"', "2": "who"}
ANSWERS = {"0": ["the moon"], "1": ["it's", 'a "b"']}


def test_dpr_question_files_are_numbered_and_their_answers_are_no_queries(topics_file):
    path = topics_file('who pulls the tides\t[\'the moon\']\n"who said ""no"""\t"[""it\'s"", \'a ""b""\']"\nwho\t[]\n')

    assert read_topics(path) == QUESTIONS
    assert read_answers(path) == ANSWERS


@given(
    records=st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters='\t\n\r"\ufeff', exclude_categories=["Cs"]), min_size=1).filter(
                str.strip
            ),
            st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
        ),
        min_size=1,
    )
)
def test_no_answer_of_a_dpr_question_file_ever_becomes_a_query(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("dpr") / "nq.qas.csv"
    path.write_bytes("".join(f"{question}\t{answers!r}\n" for question, answers in records).encode())

    assert read_topics(path) == {str(n): question.strip() for n, (question, _) in enumerate(records)}
    assert read_answers(path) == {str(n): answers for n, (_, answers) in enumerate(records) if answers}


def test_questions_without_ids_are_numbered_alike_as_topics_and_answers(topics_file):
    path = topics_file(json.dumps([{"question": "a", "answers": ["x"]}, {"question": "b", "answers": ["y"]}], indent=1))

    assert read_topics(path) == {"0": "a", "1": "b"}
    assert read_answers(path) == {"0": ["x"], "1": ["y"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "topics is empty, where a list of topics was expected"),
        ("1\ta\n2 b\n", "topics:2: no tab: topics are qid, tab, query"),
        ("query-id\tcorpus-id\tscore\n1\ta\t1\n", "topics:1: these are qrels, where topics were expected"),
        ("\tquery\n", "topics:1: the query id is missing"),
        ("1\ta\n2\tb\n1\ta\n", "topics:3: query id 1 occurs a second time"),
        ('{"_id": "1", "text": "a"}\n{"_id": "2", "text"\n', "topics:2: broken JSON"),
        ('{"_id": "1", "text": "a"}\n{"_id": 1, "text": "b"}\n', "topics:2: query id 1 occurs a second time"),
        ('{"_id": "1", "text": ""}', "topics holds no query that is not empty"),
        ('{"_id": "1"}', "topics:1: query 1: the query has no text"),
        ('{"text": "a"}', "topics:1: the query id is missing"),
        ('{"_id": 1.5, "text": "a"}', "topics:1: the query id 1.5 is not an id"),
        ('{"_id": true, "text": "a"}', "topics:1: the query id True is not an id"),
        ("[]", "topics holds no query"),
        ("<html>\n<p>no topics</p>\n</html>\n", "topics holds no query"),
        ("<top>\n<num> 1\n<title> a\n", "topics:1: this topic is never closed"),
        ("<top>\n<title> a\n</top>\n", "topics:1: the topic's number is missing"),
        ("<top>\n<num> 1\n<title>\n</top>\n", "topics holds no query that is not empty"),
        ("<top>\n<num> Number: 321 </num>\n<docid>9a</docid>\n</top>\n", "topic 321 has no query to search for"),
        ("1:a\nb\n", "topics:2: not number:query"),
        ("enwiki:A/b\nx y\n", "topics:2: not a heading of TREC CAR"),
        ("1\ta\nwho\t['he']\n", "topics:2: a list of answers, where the lines before have qid"),
        ("who\t['he']\n1\ta\n", "topics:2: no list of answers after the tab"),
        ('{"question": "a"}\n{"question": "b", "id": 1}', "topics:2: a query id, where the records before have none"),
        ('{"id": 1, "question": "a"}\n{"question": "b"}', "topics:2: the query id is missing"),
        ('{"_id": "\\ud800", "text": "a"}', "topics:1: the query id .* has half of a surrogate pair"),
    ],
)
def test_what_is_no_topic_is_refused_in_one_sentence(topics_file, text, message):
    with pytest.raises(QPeftError, match=message):
        read_topics(topics_file(text))


def test_answers_are_read_from_the_metadata_or_beside_the_query(topics_file):
    records = [
        {"_id": "1", "text": "a", "metadata": {"answers": ["x", "y"]}},
        {"_id": 2, "text": "b", "answers": ["z"]},
        {"_id": "3", "text": "c", "metadata": {}},
        {"_id": "4", "text": "d", "metadata": {"answers": []}},
    ]
    path = topics_file("\n".join(json.dumps(record) for record in records))

    assert read_answers(path) == {"1": ["x", "y"], "2": ["z"]}


@pytest.mark.parametrize("answers", ['"x"', "[1]", '{"text": ["x"]}'])
def test_answers_that_are_no_list_of_strings_are_refused(topics_file, answers):
    with pytest.raises(QPeftError, match="topics:1: answers must be a list of strings"):
        read_answers(topics_file(f'{{"_id": "1", "metadata": {{"answers": {answers}}}}}'))
