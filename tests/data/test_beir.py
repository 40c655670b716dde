import gzip

import pytest

from pyserini_qpeft.data.beir import BeirFolder, write_beir_folder
from pyserini_qpeft.data.corpus import Corpus
from pyserini_qpeft.data.qrels import read_qrels
from pyserini_qpeft.data.topics import read_topics
from pyserini_qpeft.errors import QPeftError

TOPICS = {"1": "naïve 🙂", "2": "b"}
QRELS = {"1": {"d": 2, "e": 0}, "2": {"d": 1}}


def test_what_is_written_is_read_again(tmp_path):
    written = write_beir_folder(tmp_path / "new" / "folder", '{"_id": "d", "text": "a"}\n', TOPICS, QRELS, "dev")

    beir = BeirFolder(tmp_path / "new" / "folder")
    assert beir == written
    assert dict(Corpus.open(beir.folder)) == {"d": "a"}
    assert read_topics(beir.topics) == TOPICS
    assert read_qrels(beir.qrels("dev")) == QRELS
    assert beir.splits == ("dev",)


def test_files_may_be_gzipped_and_a_plain_one_is_preferred(tmp_path):
    (tmp_path / "queries.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "1", "text": "a"}'))
    assert read_topics(BeirFolder(tmp_path).topics) == {"1": "a"}

    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "b"}')
    assert read_topics(BeirFolder(tmp_path).topics) == {"1": "b"}


def test_a_missing_file_is_named(tmp_path):
    beir = BeirFolder(tmp_path)
    with pytest.raises(QPeftError, match=r"holds no corpus\.jsonl or corpus\.jsonl\.gz: give a BEIR folder"):
        beir.corpus  # noqa: B018
    with pytest.raises(QPeftError, match=r"holds no queries\.jsonl or queries\.jsonl\.gz: give a BEIR folder"):
        beir.topics  # noqa: B018
    with pytest.raises(QPeftError, match=r"has no qrels/test\.tsv: give a BEIR folder"):
        beir.qrels("test")
    (tmp_path / "qrels").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "qrels" / f"{split}.tsv").write_text("1\td\t1\n")
    with pytest.raises(QPeftError, match=r"has no qrels/test\.tsv: its splits are dev, train"):
        beir.qrels("test")
