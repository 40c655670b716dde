"""The recipe for an object store on the page about several machines, with a file system in memory in its place."""

import gzip
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest

from pyserini_qpeft.cli.__main__ import main

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def blocks() -> list[str]:
    """The blocks of the section, in order."""
    section = PAGE.read_text().split("## Files in an object store")[1].split("\n## ")[0]
    return re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)


@pytest.mark.parametrize(
    "engine",
    [
        "local",
        pytest.param("ray", marks=pytest.mark.skipif(find_spec("ray") is None, reason="needs pyserini-qpeft[ray]")),
    ],
)
def test_files_come_from_an_object_store_and_the_run_goes_there(
    engine: str, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fsspec.filesystem("memory")
    corpus = b'{"_id": "d1", "text": "The Nile is a river."}\n{"_id": "d2", "text": "Paris is a capital."}\n'
    store.pipe(
        {
            "bucket/msmarco/bm25.txt": b"q1 Q0 d1 1 2.5 bm25\nq1 Q0 d2 2 1.5 bm25\n",
            "bucket/msmarco/queries.tsv": b"q1\tcapital of France\n",
            "bucket/msmarco/corpus.jsonl.gz": gzip.compress(corpus),
        }
    )
    monkeypatch.chdir(tmp_path)
    get, command, put = blocks()
    names: dict[str, object] = {}
    exec(get.replace('"s3"', '"memory"'), names)
    words = shlex.split(command.replace("--engine ray", f"--engine {engine}"))[1:]
    assert main([*words, "--model", str(tiny_model_dir), "--dtype", "float32", "--device", "cpu", "--quiet"]) == 0
    exec(put, names)
    lines = store.cat("bucket/msmarco/run.txt").decode().splitlines()
    assert sorted(line.split()[2] for line in lines) == ["d1", "d2"]
    store.rm("bucket", recursive=True)
