"""Judgements by Pyserini's names."""

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.qrels import named_qrels_file


def test_a_name_that_pyserini_does_not_know_is_refused():
    with pytest.raises(QPeftError, match="the qrels no-such-collection are neither a file nor a name") as raised:
        named_qrels_file("no-such-collection")
    assert "\n" not in str(raised.value)
