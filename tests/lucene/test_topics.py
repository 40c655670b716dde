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
