"""The folder of stored passages: its limit, what is removed first, and that nothing else is touched."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring import passage_folder
from pyserini_qpeft.scoring.passage_folder import DoesNotFitFolderError, PassageFolder
from pyserini_qpeft.scoring.sizes import parse_size, size_text

MODEL, OTHER = "a" * 24, "b" * 24 + "-int8"


def put(folder: PassageFolder, number: int, size: int, model: str = MODEL, *, used: int | None = None) -> Path:
    """Stores a passage of `size` bytes, used at second `used`."""
    file = folder.folder / model / f"{number:032x}.safetensors"
    with folder.writing():
        folder.reserve(size)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(size))
        os.utime(file, (0, 1000 + (number if used is None else used)))
    return file


def test_the_passage_used_longest_ago_goes_first(tmp_path: Path) -> None:
    folder = PassageFolder(tmp_path, 1000)
    first, second, third = (put(folder, number, 300) for number in range(3))
    os.utime(first, (0, 5000))
    fourth = put(folder, 3, 300, OTHER)
    assert [file.exists() for file in (first, second, third, fourth)] == [True, False, True, True]
    assert folder.bytes == 900


@given(
    limit=st.integers(1, 5000),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=30),
    forgotten=st.sets(st.integers(0, 30)),
)
def test_the_limit_holds_at_any_time_and_everything_that_fits_is_stored(
    tmp_path_factory: pytest.TempPathFactory, limit: int, sizes: list[int], forgotten: set[int]
) -> None:
    folder = PassageFolder(tmp_path_factory.mktemp("folder"), limit)
    for number, size in enumerate(sizes):
        if number in forgotten:  # as another process, which knows nothing but the folder
            (folder.folder / "passages.json").write_text(json.dumps({"limit": limit}))
            folder = PassageFolder(folder.folder)
        if size > limit:
            with pytest.raises(DoesNotFitFolderError, match="do not fit into"):
                put(folder, number, size)
        else:
            assert put(folder, number, size, OTHER if number % 3 else MODEL).exists()
        assert folder.bytes <= limit


def test_the_folder_remembers_its_limit_and_a_smaller_one_holds_at_once(tmp_path: Path) -> None:
    folder = PassageFolder(tmp_path)
    assert folder.limit is None
    for number in range(9):
        put(folder, number, 100)
    assert PassageFolder(tmp_path, 500).bytes <= 500
    assert PassageFolder(tmp_path).limit == 500
    assert (tmp_path / MODEL / f"{8:032x}.safetensors").exists()


def test_some_of_the_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PassageFolder(tmp_path)
    put(folder, 0, 400)
    usage = type("Usage", (), {"total": 10_000, "free": 800})
    monkeypatch.setattr(passage_folder.shutil, "disk_usage", lambda _: usage)
    assert folder.free == folder.room == 300
    put(folder, 1, 300)
    with pytest.raises(DoesNotFitFolderError, match="the free space on the disk is"):
        put(folder, 2, 1100)
    # The oldest passage makes room for one that the free space alone would not hold.
    put(folder, 3, 500)
    assert not (tmp_path / MODEL / f"{0:032x}.safetensors").exists()


def test_nothing_that_is_not_a_passage_is_ever_removed(tmp_path: Path) -> None:
    folder = PassageFolder(tmp_path, 1000)
    kept = ["thesis.safetensors", f"{MODEL}/thesis.safetensors", f"{'c' * 40}/{1:032x}.safetensors", f"{MODEL}/x.part"]
    for name in kept:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(5000))
    for number in range(20):
        put(folder, number, 100)
    assert PassageFolder(tmp_path).clear()[0] <= 10
    assert all((tmp_path / name).exists() for name in kept)
    assert folder.bytes == 0


def test_one_model_can_be_cleared(tmp_path: Path) -> None:
    folder = PassageFolder(tmp_path)
    for model, name in ((MODEL, "one"), (OTHER, "two")):
        put(folder, 1, 100, model)
        put(folder, 2, 150, model)
        about = {"model": name, "dtype": "bfloat16", "kept_as": "int8"}
        (tmp_path / model / "model.json").write_text(json.dumps(about))
    assert [(one.model, one.passages, one.bytes, one.used) for one in folder.models()] == [
        ("one", 2, 250, 1002.0),
        ("two", 2, 250, 1002.0),
    ]
    assert folder.clear("one") == (2, 250)
    assert [one.model for one in folder.models()] == ["two"]
    assert folder.clear() == (2, 250)
    assert folder.models() == []


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(QPeftError, match="cannot store passages in"):
        PassageFolder(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4000000000", 4 * 10**9),
        ("20GB", 20 * 10**9),
        ("1.5 gib", 3 << 29),
        ("500kB", 500_000),
        ("2T", 2 * 10**12),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "5 bananas", "-1", "1e9", "1,5GB"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@given(st.integers(0, 10**15))
def test_a_written_size_reads_back_within_a_percent_or_two(size: int) -> None:
    assert parse_size(size_text(size).replace(",", "")) == pytest.approx(size, rel=0.06, abs=0.5)
