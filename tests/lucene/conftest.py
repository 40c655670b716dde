import json
from pathlib import Path

import pytest


@pytest.fixture
def corpus(tmp_path: Path):
    """Writes documents, (docid, title, text) each, as a JSONL corpus."""

    def write(*documents: tuple[str, str, str]) -> Path:
        file = tmp_path / "corpus.jsonl"
        lines = [json.dumps({"_id": docid, "title": title, "text": text}) for docid, title, text in documents]
        file.write_text("\n".join(lines))
        return file

    return write
