"""`python -m benchmarks --quick` measures every table in seconds, and writes all of it."""

import json
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.options import PARTS

ROOT = Path(__file__).parents[2]

ROWS = {
    "speed": "SpeedRow",
    "outside": "OutsideRow",
    "cache": "CacheRow",
    "growth": "GrowthRow",
    "training": "TrainingRow",
    "faster": "FasterRow",
    "profile": "ProfileRow",
    "engines": "EnginesRow",
}
WAYS = ["ours", "ours-R", "as published", "plain Hugging Face"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def outcome(folder: Path) -> dict[str, Any]:
    arguments = ["--quick", "--device", "cpu", "--sizes", "tiny", "llama-2-7b", "--rivals", *WAYS]
    command = [sys.executable, "-m", "benchmarks", *arguments, "--output", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == (folder / "benchmark.md").read_text().strip()
    return json.loads((folder / "benchmark.json").read_text())


def test_every_table_has_every_column(outcome: dict[str, Any]) -> None:
    assert list(outcome["tables"]) == list(PARTS)
    for part, row in ROWS.items():
        columns = {field.name for field in fields(getattr(import_module(f"benchmarks.tables.{part}"), row))}
        assert all(set(written) == columns for written in outcome["tables"][part])


def test_speed_measures_everyone_and_says_what_it_leaves_out(outcome: dict[str, Any]) -> None:
    *measured, skipped = outcome["tables"]["speed"]
    assert [row["way"] for row in measured] == WAYS
    for row in measured:
        numbers = ["pairs_per_second", "tokens_per_second", "peak_tflops", "memory_mib", "outside_seconds"]
        assert all(row[name] > 0 for name in numbers)
        assert 0 < row["peak_share"] < 1
        spread = row["times_as_long"]
        assert spread["low"] <= spread["median"] <= spread["high"]
    assert skipped["size"] == "llama-2-7b"
    assert "GPU" in skipped["skipped"]


def test_whole_logits_take_more_memory_than_those_of_the_query(outcome: dict[str, Any]) -> None:
    memory = {row["way"]: row["memory_mib"] for row in outcome["tables"]["speed"] if row["way"] in WAYS}
    assert memory["plain Hugging Face"] > 2 * memory["ours"]


def test_neither_sharing_nor_the_cache_changes_a_score(outcome: dict[str, Any]) -> None:
    alone, *others = outcome["tables"]["cache"]
    assert [alone["way"], *(row["way"] for row in others)] == [
        "each pair by itself",
        "passages shared",
        "cache of 4,096 MiB, query by query",
    ]
    for row in others:
        assert alone["pairs"] == row["pairs"] > row["passages"]
        assert row["largest_difference"] < 1e-5


def test_batches_change_no_score_and_integers_do(outcome: dict[str, Any]) -> None:
    rows = {row["what"]: row for row in outcome["tables"]["faster"]}
    assert rows["as it is"]["times_as_fast"]["median"] == 1
    for tokens in ("1,024", "8,192"):
        batches = rows[f"batches of {tokens} tokens"]
        assert 0 <= batches["padding_share"] < 0.5
        assert batches["largest_difference"] < 1e-5
    assert rows["int8"]["largest_difference"] > 1e-5


def test_a_profile_has_all_parts(outcome: dict[str, Any]) -> None:
    for row in outcome["tables"]["profile"]:
        parts = [row[name] for name in ("matrix_products_share", "attention_share", "elsewhere_share")]
        assert all(0 < part < 1 for part in parts)
        assert sum(parts) == pytest.approx(1)


def test_times_outside_the_forward_are_parts_of_the_whole(outcome: dict[str, Any]) -> None:
    assert [row["variant"] for row in outcome["tables"]["outside"]] == ["none", "retrieval", "attention"]
    assert all(0 < row["outside_share"] < 1 for row in outcome["tables"]["outside"])


def test_the_page_names_the_machine_but_no_folder_of_it(outcome: dict[str, Any], folder: Path) -> None:
    written = (folder / "benchmark.md").read_text() + (folder / "benchmark.json").read_text()
    assert outcome["machine"]["packages"]["torch"]
    assert str(folder) not in written
    assert str(Path.home()) not in written
    assert (folder / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_a_collection_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--texts", "nfcorpus", "--shared", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        "benchmarks: NFCorpus was not found: give the folder that has data/nfcorpus with --shared.\n"
    )
