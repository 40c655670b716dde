import json

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.topics import named_topics


def test_a_file_in_one_of_pyserinis_own_formats(tmp_path):
    file = tmp_path / "kilt.jsonl"
    file.write_text(json.dumps({"id": "k1", "input": "who is [START_ENT] Ada [END_ENT]?"}) + "\n")
    assert named_topics(str(file), "kilt") == {"k1": "who is  Ada ?"}


@pytest.mark.parametrize(("name", "topics_format"), [("no-such-topics", "default"), ("cacm", "no-such-format")])
def test_topics_that_pyserini_does_not_know(name, topics_format):
    with pytest.raises(QPeftError, match=f"the topics {name} are neither a file nor a name"):
        named_topics(name, topics_format)


# Each kind of topics that anserini-tools holds as text, and the field of Anserini's reader that is searched with.
KINDS = {
    "Trec": (
        "<top>\n<num> Number: {n:03}\n<title> {text}\n\n<desc> Description:\nd\n<narr> Narrative:\nn\n</top>\n",
        "",
    ),
    "Trec closed": (
        "<top>\n<num> Number: {n} </num>\n<title>\n{text}\n</title>\n<desc> Description:\nd\n</desc>\n"
        "<narr>n</narr>\n</top>\n",
        "",
    ),
    "Trec FIRE": (
        "<top lang='bn'>\n<num>{n}</num>\n<title>{text}</title>\n<desc>d</desc>\n<narr>n</narr>\n</top>\n",
        "",
    ),
    "Webxml": (
        '<topic number="{n}" type="faceted">\n<query>{text}</query>\n<description>d\n</description>\n'
        '<subtopic number="1" type="inf">s</subtopic>\n</topic>\n',
        "<webtrack2010>\n",
    ),
    "Microblog": (
        "<top>\n<num> Number: MB{n:03} </num>\n<query> {text} </query>\n<querytime> Tue </querytime>\n"
        "<querytweettime> 3 </querytweettime>\n</top>\n\n",
        "",
    ),
    "Ntcir": (
        "<query>\n<qid>{n:04}</qid>\n<content>{text}</content>\n<description>d</description>\n</query>\n",
        "<queries>\n",
    ),
    "Cacm": ("<DOC>\n<DOCNO> {n} </DOCNO>\n{text}\n more\n</DOC>\n", ""),
    "Qa": ("<QApairs id='{n}'>\n<question>\n{text}\n</question>\n<positive>\na\n</positive>\n</QApairs>\n", ""),
    "Web": ("{n}:{text}\n", ""),
    "PrioritizedWeb": ("{n}:2:{text}\n", ""),
    "TsvInt": ("{n}\t{text}\n", ""),
    "TsvString": ("{n}\t{text}\n", ""),
    "Car": ("enwiki:Page%20{n}/{text}\n", ""),
    "JsonString": ('{{"id": {n}, "title": "{text}"}}\n', ""),
    "DprNq": ("{text}\t['answer {n}']\n", ""),
    "DprJsonl": ('{{"question": "{text}", "answer": ["answer {n}"]}}\n', ""),
}
TEXTS = ["who wrote naïve", "x", "BBC World Service cuts", "the 2nd US-China deal (1999)", "don't stop"]


@pytest.mark.parametrize("kind", KINDS)
def test_topics_read_as_anserinis_own_reader_reads_them(kind, tmp_path):
    from pyserini_qpeft.data.topics import read_topics
    from pyserini_qpeft.lucene.jvm import start_jvm

    start_jvm()
    from jnius import autoclass

    one, head = KINDS[kind]
    texts = [text.replace(" ", "%20") for text in TEXTS] if kind == "Car" else TEXTS
    file = tmp_path / "topics"
    file.write_text(head + "".join(one.format(n=n, text=text) for n, text in enumerate(texts, start=1)))
    reader = autoclass(f"io.anserini.search.topicreader.{kind.split()[0]}TopicReader")
    read = reader(autoclass("java.io.File")(str(file)).toPath()).read()
    entries = read.entrySet().toArray()
    expected = {str(entry.getKey()): " ".join(entry.getValue().get("title").split()) for entry in entries}
    assert len(expected) == len(TEXTS)
    assert {qid: " ".join(query.split()) for qid, query in read_topics(file).items()} == expected
