import gzip
import json
from pathlib import Path

import pytest

TOPICS = {
    "kiln": "The potter fires the kiln at night. Clay vessels harden above nine hundred degrees. Ash glazes turn green.",
    "harbour": "Ships unload grain in the harbour. The lighthouse keeper counts masts. Pilots know every sandbank there.",
    "orchard": "Pruning the orchard takes all winter. Old pear trees bear fruit late. Wasps nest under the eaves there.",
    "printing": "The printing press used movable type. Compositors set each letter by hand. Ink was made from lampblack.",
    "glacier": "The glacier retreats forty metres a year. Meltwater carves tunnels in it. Moraines mark its former edge.",
    "violin": "A violin maker carves spruce and maple. Varnish takes weeks to dry. The sound post stands under the bridge.",
}


def write_jsonl(path: Path, rows: list[dict]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="session")
def tiny_shared(tmp_path_factory) -> Path:
    """A folder like ../shared with one collection: four articles to train on, one for dev, one for test."""
    root = tmp_path_factory.mktemp("shared")
    folder = root / "data" / "squad-v1.1-dev"
    (folder / "qrels").mkdir(parents=True)
    documents, queries = [], []
    qrels: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for number, (topic, text) in enumerate(TOPICS.items()):
        split = "dev" if topic == "glacier" else "test" if topic == "violin" else "train"
        for part in range(4):
            docid = f"{topic}#{part}"
            body = f"{text} Part {part} of the account of the {topic} ends here, and nothing else was recorded."
            documents.append({"_id": docid, "title": f"The {topic} papers", "text": body})
            queries.append({"_id": f"q{number}-{part}", "text": f"What does part {part} tell of the {topic}?"})
            qrels[split].append(f"q{number}-{part}\t{docid}\t1")
    write_jsonl(folder / "corpus.jsonl.gz", documents)
    write_jsonl(folder / "queries.jsonl.gz", queries)
    for split, lines in qrels.items():
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return root
