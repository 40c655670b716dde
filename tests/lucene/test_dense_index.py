"""A Faiss index holds the encoder's vectors in Pyserini's layout."""

import json
import runpy
import shutil
import sys

import faiss
import numpy as np
import pytest
from tiny_encoder import reference_vector, save_tiny_encoder

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import EncoderConfig, EncodingConfig, build_dense_index, build_index, open_searcher

DOCUMENTS = (
    ("river", "The Nile", "is the longest river of Africa " + "and flows on " * 20),
    ("blank", "", " "),
    ("city", "Paris", "is the capital of France"),
    ("priest", "", "Aaron is a priest and the brother of Moses"),
    ("7", "Rome", ""),
)
TEXTS = {docid: f"{title} {text}".strip() for docid, title, text in DOCUMENTS if title or text.strip()}


def built(corpus, folder, encoder, **settings):
    """The vectors of an index by docid, read without the package."""
    build_dense_index(corpus(*DOCUMENTS), folder, EncoderConfig(encoder=str(encoder), **settings))
    return vectors_of(folder)


def vectors_of(folder):
    index = faiss.read_index(str(folder / "index"))
    docids = (folder / "docid").read_text().splitlines()
    return dict(zip(docids, index.reconstruct_n(0, index.ntotal), strict=True))


def agree(vectors, others, tolerance=1e-5):
    assert list(vectors) == list(others)
    for docid, vector in vectors.items():
        np.testing.assert_allclose(vector, others[docid], atol=tolerance)


def test_vectors_are_those_of_each_text_alone_with_the_encoders_own_settings(corpus, encoder, tmp_path):
    agree(built(corpus, tmp_path / "index", encoder), {d: reference_vector(encoder, t) for d, t in TEXTS.items()})


def test_the_index_is_what_pyserinis_encoding_program_writes(corpus, encoder, tmp_path, monkeypatch):
    ours = built(corpus, tmp_path / "ours", encoder)
    (tmp_path / "pyserini").mkdir()
    # Pyserini reads an empty field as the word None.
    records = [
        {"id": docid, "title": title, "text": text} for docid, title, text in DOCUMENTS if title and text.strip()
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "pyserini" / "corpus.jsonl").write_text(lines)
    words = ["input", "--corpus", tmp_path / "pyserini" / "corpus.jsonl", "--fields", "title", "text"]
    words += ["output", "--embeddings", tmp_path / "theirs", "--to-faiss"]
    words += ["encoder", "--encoder", encoder, "--encoder-class", "auto", "--pooling", "mean", "--l2-norm"]
    words += ["--fields", "title", "text", "--dimension", 32, "--max-length", 24, "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["pyserini.encode", *map(str, words)])
    sys.modules.pop("pyserini.encode.__main__", None)
    runpy.run_module("pyserini.encode", run_name="__main__")
    agree({record["id"]: ours[record["id"]] for record in records}, vectors_of(tmp_path / "theirs"))


def test_sentence_transformers_gives_the_same_vectors(corpus, encoder, tmp_path):
    pytest.importorskip("sentence_transformers", reason="needs sentence-transformers: pip install '.[dense]'")
    ours = built(corpus, tmp_path / "ours", encoder)
    agree(ours, built(corpus, tmp_path / "theirs", encoder, encoder_library="sentence-transformers"))
    query = "who is the brother of moses"
    first, second = (open_searcher(tmp_path / name).search(query) for name in ("ours", "theirs"))
    assert [hit.docid for hit in first] == [hit.docid for hit in second]
    assert [hit.score for hit in first] == pytest.approx([hit.score for hit in second], abs=1e-5)


def test_settings_that_are_given_win_over_the_encoders_own(corpus, encoder, tmp_path):
    vectors = built(corpus, tmp_path / "index", encoder, l2_norm=False, max_length=6, prefix="passage:")
    expected = reference_vector(encoder, f"passage: {TEXTS['river']}", max_length=6)
    found = vectors["river"]
    assert not np.isclose(np.linalg.norm(found), 1)
    np.testing.assert_allclose(found / np.linalg.norm(found), expected, atol=1e-5)


def test_batches_make_no_difference_and_blank_documents_are_counted(corpus, encoder, tmp_path):
    config = EncoderConfig(encoder=str(encoder))
    report = build_dense_index(corpus(*DOCUMENTS), tmp_path / "one", config, EncodingConfig(batch_size=1))
    assert (report.documents, report.empty) == (5, 1)
    agree(vectors_of(tmp_path / "one"), built(corpus, tmp_path / "many", encoder))


def test_nothing_is_written_to_the_output(corpus, encoder, tmp_path, capfd):
    from transformers.utils import logging

    logging.disable_progress_bar()
    built(corpus, tmp_path / "index", encoder)
    assert capfd.readouterr() == ("", "")


def test_an_index_of_either_kind_is_replaced_with_overwrite_only(corpus, encoder, tmp_path):
    file, config = corpus(*DOCUMENTS), EncoderConfig(encoder=str(encoder))
    build_index(file, tmp_path / "index")
    with pytest.raises(QPeftError, match="holds an index already"):
        build_dense_index(file, tmp_path / "index", config)
    build_dense_index(file, tmp_path / "index", config, overwrite=True)
    build_index(file, tmp_path / "index", overwrite=True)
    assert not (tmp_path / "index" / "docid").exists()


def test_a_folder_of_git_has_a_file_index_too_and_is_never_replaced(corpus, encoder, tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_text("dear")
    with pytest.raises(QPeftError, match="is not an index"):
        build_dense_index(corpus(*DOCUMENTS), tmp_path / ".git", EncoderConfig(encoder=str(encoder)), overwrite=True)


@pytest.mark.parametrize(
    ("documents", "settings", "complaint"),
    [
        ([("a", "", "one"), ("a", "", "two")], {}, "docid a occurs twice"),
        ([("a", "", "")], {}, "no document with a text"),
        ([("a\nb", "", "one")], {}, "has a line break"),
        ([("a", "", "one")], {"encoder": "no/such/encoder"}, "neither a folder nor in the hub's cache.*--encoder"),
        ([("a", "", "one")], {"encoder_class": "elmo"}, "no document encoder class 'elmo': use one of aggretriever"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_file(corpus, encoder, tmp_path, documents, settings, complaint):
    file = corpus(*documents)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(QPeftError, match=complaint):
        build_dense_index(file, tmp_path / "index", EncoderConfig(**{"encoder": str(encoder), **settings}))
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_holds_no_encoder(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(QPeftError, match="holds no encoder that can be loaded") as raised:
        build_dense_index(corpus(*DOCUMENTS), tmp_path / "index", EncoderConfig(encoder=str(tmp_path / "empty")))
    assert "\n" not in str(raised.value)


def test_an_encoder_with_parts_that_pyserini_lacks_needs_sentence_transformers(corpus, encoder, tmp_path):
    shutil.copytree(encoder, tmp_path / "dense")
    modules = json.loads((encoder / "modules.json").read_text())
    modules.insert(2, {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (tmp_path / "dense" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(QPeftError, match=r"Dense.*--encoder-library sentence-transformers"):
        built(corpus, tmp_path / "index", tmp_path / "dense")


def test_an_encoder_that_gives_no_finite_vectors(corpus, tmp_path):
    import torch
    from transformers import BertModel

    folder = save_tiny_encoder(tmp_path / "broken")
    model = BertModel.from_pretrained(folder)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[:] = float("inf")
    model.save_pretrained(folder)
    with pytest.raises(QPeftError, match=r"the encoder failed on document .*: Input contains NaN"):
        built(corpus, tmp_path / "index", folder)
    with pytest.raises(QPeftError, match=r"document .* a vector that is not finite"):
        built(corpus, tmp_path / "index", folder, l2_norm=False)


def test_more_tokens_than_the_encoder_reads(corpus, encoder, tmp_path):
    with pytest.raises(QPeftError, match="the encoder failed on document"):
        built(corpus, tmp_path / "index", encoder, max_length=1000)
