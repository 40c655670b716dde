import json
import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cacm_index(shared: Path, tmp_path_factory) -> Path:
    """An index that Anserini's authors made: HTML as raw text."""
    folder = tmp_path_factory.mktemp("cacm")
    with tarfile.open(shared / "data" / "cacm" / "lucene9-index.cacm.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "lucene9-index.cacm"


@pytest.fixture
def corpus(tmp_path: Path):
    """Writes documents, (docid, title, text) each, as a JSONL corpus."""

    def write(*documents: tuple[str, str, str]) -> Path:
        file = tmp_path / "corpus.jsonl"
        lines = [json.dumps({"_id": docid, "title": title, "text": text}) for docid, title, text in documents]
        file.write_text("\n".join(lines))
        return file

    return write
