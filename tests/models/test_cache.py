"""A file's hash is remembered, and never when the file may have changed."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models import cache
from pyserini_qpeft.models.cache import build_once, cache_folder, file_hash


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QPEFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_is_where_the_user_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == folder
    monkeypatch.delenv("QPEFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/pyserini-qpeft")


def test_a_hash_is_computed_once_for_a_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1.0)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    expected = hashlib.sha256(b"content").hexdigest()
    assert file_hash(file) == expected
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert file_hash(file) == expected


def test_a_changed_file_is_hashed_again_even_with_its_old_time_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1.0)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file_hash(file)
    before = file.stat()
    time.sleep(0.02)
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_hash(file) == hashlib.sha256(b"CONTENT").hexdigest()


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file_hash(file)
    assert not (folder / "hashes").exists()


def test_a_damaged_note_is_ignored(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1.0)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    expected = file_hash(file)
    (note,) = (folder / "hashes").iterdir()
    for damaged in ("", "[]", "{}", '"text"'):
        note.write_text(damaged)
        assert file_hash(file) == expected


def test_an_unfinished_note_of_a_killed_process_is_replaced(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1.0)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", lambda *_: None)
        file_hash(file)
    assert len(list((folder / "hashes").iterdir())) == 1
    file_hash(file)
    (note,) = (folder / "hashes").iterdir()
    assert note.suffix == ".json"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(QPeftError, match=r"cannot read .*absent"):
        file_hash(tmp_path / "absent")


def test_a_folder_that_could_not_be_built_is_absent(folder: Path) -> None:
    def fail(partial: Path) -> None:
        (partial / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        build_once(folder / "x", fail)
    assert list(folder.iterdir()) == []
    built = build_once(folder / "x", lambda partial: None)
    assert built.is_dir()
