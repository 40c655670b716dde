"""A new index is whole or absent, what a killed process has left goes at the next start, and one process builds it."""

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene.new_index import new_index


def fill(folder, text):
    folder.mkdir()
    (folder / "segments_1").write_text(text)


def test_what_a_killed_process_has_left_is_removed(tmp_path):
    fill(tmp_path / ".index.building", "half")
    with new_index(tmp_path / "index", overwrite=False) as folder:
        fill(folder, "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert (tmp_path / "index" / "segments_1").read_text() == "whole"


def test_an_index_that_a_killed_process_has_moved_away_comes_back(tmp_path):
    fill(tmp_path / ".index.replaced", "old")
    with pytest.raises(QPeftError, match="holds an index already"), new_index(tmp_path / "index", overwrite=False):
        pytest.fail("there is an index")
    with pytest.raises(FileNotFoundError), new_index(tmp_path / "index", overwrite=True):
        pass  # nothing was built
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert (tmp_path / "index" / "segments_1").read_text() == "old"


def test_a_link_to_an_index_stays_a_link(tmp_path):
    fill(tmp_path / "old", "old")
    (tmp_path / "index").symlink_to("old")
    for text in ("new", "newer"):
        with new_index(tmp_path / "index", overwrite=True) as folder:
            fill(folder, text)
    assert (tmp_path / "index").is_symlink()
    assert (tmp_path / "old" / "segments_1").read_text() == "newer"
    assert len(list(tmp_path.iterdir())) == 2


def test_one_process_builds_an_index_at_a_time(tmp_path):
    with new_index(tmp_path / "index", overwrite=False) as folder:
        fill(folder, "first")
        with (
            pytest.raises(QPeftError, match="another process is building"),
            new_index(tmp_path / "index", overwrite=True),
        ):
            pytest.fail("it is being built")
    assert (tmp_path / "index" / "segments_1").read_text() == "first"
