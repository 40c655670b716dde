import json
from pathlib import Path

import pytest
from tiny_encoder import save_tiny_encoder


@pytest.fixture
def corpus(tmp_path: Path):
    """Writes documents, (docid, title, text) each, as a JSONL corpus."""

    def write(*documents: tuple[str, str, str]) -> Path:
        file = tmp_path / "corpus.jsonl"
        lines = [json.dumps({"_id": docid, "title": title, "text": text}) for docid, title, text in documents]
        file.write_text("\n".join(lines))
        return file

    return write


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT in the layout of sentence-transformers."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny-bert")
