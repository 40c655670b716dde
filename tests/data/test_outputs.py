"""An output that is an input is found, whatever it is called."""

import os
from pathlib import Path

import pytest

from pyserini_qpeft.data.outputs import only_writer, refuse_overwriting_inputs
from pyserini_qpeft.errors import QPeftError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "beir" / "corpus.jsonl"
    file.parent.mkdir()
    file.write_text("{}")
    return file


def test_a_file_in_an_input_folder_counts(corpus: Path, tmp_path: Path) -> None:
    os.link(corpus, tmp_path / "run")
    for output in (corpus, tmp_path / "run"):
        with pytest.raises(QPeftError, match=f"cannot write {output}: it would replace {corpus}"):
            refuse_overwriting_inputs([output], [corpus.parent])


def test_a_link_to_the_folder_counts(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(corpus.parent)
    with pytest.raises(QPeftError, match="it would replace"):
        refuse_overwriting_inputs([tmp_path / "link" / "corpus.jsonl"], [corpus])
    with pytest.raises(QPeftError, match="it would replace"):
        refuse_overwriting_inputs([tmp_path / "link"], [corpus])


def test_other_files_of_the_same_content_or_name_do_not_count(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("{}")
    new = [tmp_path / "corpus.jsonl", tmp_path / "new", corpus.with_name("run.txt"), tmp_path / "new.partial"]
    refuse_overwriting_inputs(new, [corpus, corpus.parent, tmp_path / "absent", "a name"])


def test_a_terminal_may_be_read_and_written(corpus: Path) -> None:
    refuse_overwriting_inputs(["/dev/null"], ["/dev/null", corpus])


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_an_output_without_a_name_is_no_traceback(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_overwriting_inputs([Path(name)], [])
    with pytest.raises(QPeftError, match="give the output a name"), only_writer(Path(name)):
        pass
