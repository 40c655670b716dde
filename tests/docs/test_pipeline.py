"""Everything on the pipeline page runs on a small collection, the names of prebuilt indexes replaced by its files."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import fenced, run_python, run_shell

from pyserini_qpeft.data.runs import read_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.lucene import find_java

pytest.importorskip("pyserini", reason="needs Pyserini")

PAGE = "docs/pipeline.md"
PASSAGES = {
    "4983": ("Vitamin D", "Vitamin D supplements protect against acute respiratory infections."),
    "13": ("Statins", "Statins lower cholesterol and the risk of heart disease."),
    "7": ("Infections", "Most respiratory infections are caused by viruses."),
    "8": ("Vitamin C", "Vitamin C does not protect against a cold."),
    "9": ("Sunlight", "The skin makes vitamin D in sunlight."),
    "10": ("Bones", "Bones need calcium and vitamin D."),
}
QUERIES = {"1": "does vitamin d protect against infections", "2": "what do statins lower"}
QRELS = "query-id\tcorpus-id\tscore\n1\t4983\t1\n2\t13\t1\n"
LOCAL = {
    "--index beir-v1.0.0-scifact.flat": "--index indexes/scifact",
    "--topics beir-v1.0.0-scifact-test": "--topics scifact/queries.jsonl",
}
"""What stands for the names of prebuilt indexes and topics, which need a network."""

PREPARE = """
qpeft index --corpus scifact --index indexes/scifact
qpeft search --index indexes/scifact --topics queries.tsv --hits 100 --output run.bm25.txt --first-stage-only
cp -r indexes/scifact indexes/nfcorpus; cp -r scifact nfcorpus; cp run.bm25.txt dev.bm25.txt; cp queries.tsv dev.tsv
"""

ENCODERS = """
import json
import numpy as np
from pyserini_qpeft.lucene import start_jvm
start_jvm()
import faiss
from pyserini.index.lucene import LuceneIndexer

passages = {one["_id"]: one["text"] for one in map(json.loads, open("scifact/corpus.jsonl"))}
indexer = LuceneIndexer(args=["-index", "indexes/scifact.splade", "-threads", "1", "-impact", "-pretokenized"])
for docid, text in passages.items():
    indexer.add_doc_dict({"id": docid, "contents": text.lower()})
indexer.close()
words = sorted({word for text in passages.values() for word in text.lower().split()})

class Splade:  # weights of the words as they are
    def encode(self, text, **_):
        return {word: 1.0 for word in text.lower().split() if word in words}

class Bge:  # bags of words
    def encode(self, text, **_):
        return np.float32([word in text.lower().split() for word in words])

splade_encoder, bge_encoder = Splade(), Bge()
import os
os.makedirs("indexes/scifact.bge")
flat = faiss.IndexFlatIP(len(words))
flat.add(np.stack([bge_encoder.encode(text) for text in passages.values()]))
faiss.write_index(flat, "indexes/scifact.bge/index")
open("indexes/scifact.bge/docid", "w").write("".join(f"{docid}\\n" for docid in passages))
"""
"""Small indexes of the other kinds, and encoders that need no download."""

REPORT = """
print(json.dumps({
    "impact": [hit.docid for hit in impact.search(query, k=100)],
    "dense": [hit.docid for hit in dense.search(query, k=100)],
    "reranked": [hit.docid for hit in reranked],
    "by hand": [(hit.docid, hit.score) for hit in reranker.rerank(query, searcher.search(query, k=100))],
    "statins": [hit.docid for hit in many["q2"]],
}))
"""


def has_java() -> bool:
    try:
        return find_java() is not None
    except QPeftError:
        return False


pytestmark = pytest.mark.skipif(not has_java(), reason="needs Java 21 (the extra java)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The collection after all blocks of shell have run in it."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "scifact" / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": docid, "title": title, "text": text}) for docid, (title, text) in PASSAGES.items()]
    (folder / "scifact" / "corpus.jsonl").write_text("\n".join(lines))
    lines = [json.dumps({"_id": qid, "text": query}) for qid, query in QUERIES.items()]
    (folder / "scifact" / "queries.jsonl").write_text("\n".join(lines))
    for split in ("test", "dev"):
        (folder / "scifact" / "qrels" / f"{split}.tsv").write_text(QRELS)
    (folder / "queries.tsv").write_text("".join(f"{qid}\t{query}\n" for qid, query in QUERIES.items()))
    request = {
        "query": {"text": QUERIES["1"], "qid": "1"},
        "candidates": [{"docid": one, "score": 1.0, "doc": {"contents": PASSAGES[one][1]}} for one in ("7", "4983")],
    }
    (folder / "requests.jsonl").write_text(json.dumps(request))
    (folder / "indexes").mkdir()
    blocks = ["".join(line for line in block.splitlines(True) if not line.startswith("python ")) for block in sh()]
    run_shell([PREPARE, *blocks], folder)
    return folder


def sh() -> list[str]:
    """The page's blocks of shell on the small collection."""
    blocks = []
    for block in fenced(PAGE, "sh"):
        for name, local in LOCAL.items():
            block = block.replace(name, local)
        blocks.append(block)
    return blocks


@pytest.fixture(scope="module")
def report(folder) -> dict:
    """The names that the page's Python ends with, and its printed hits."""
    printed = run_python("\n".join([ENCODERS, *fenced(PAGE, "python"), REPORT]), folder)
    hits, last = printed.splitlines()[:-1], printed.splitlines()[-1]
    return {**json.loads(last), "printed": [line.split() for line in hits if re.match(r" *\d+ \d+ +-?\d", line)]}


def test_the_commands_write_their_runs(folder):
    for name in ("run", "run.reranked", "run.tuned", "run.beir.bm25-flat.scifact"):
        assert read_run(folder / f"{name}.txt").keys() == QUERIES.keys(), name
    (line,) = (folder / "reranked.jsonl").read_text().splitlines()
    assert sorted(hit["docid"] for hit in json.loads(line)["hits"]) == ["4983", "7"]


def test_every_searcher_of_pyserini_is_reranked(report):
    assert [docid for _, docid, _ in report["printed"]] == [docid for docid, _ in report["by hand"]]
    assert report["impact"]
    assert sorted(report["dense"]) == sorted(PASSAGES)
    assert sorted(report["reranked"]) == sorted(PASSAGES)
    assert report["statins"]


def test_the_loop_over_beir_and_prcl_write_the_reranked_runs(folder, report):
    expected = [docid for docid, _ in report["by hand"]]
    for name in ("run.scifact.txt", "run.nfcorpus.txt", "run.prcl.txt", "run.txt"):
        found = read_run(folder / name)["1"]
        assert [hit.docid for hit in found] == expected, name
        assert [hit.score for hit in found] == pytest.approx([score for _, score in report["by hand"]], abs=1e-3)


def test_the_two_click_reproduction_is_the_one_that_pyserini_prints():
    blocks = fenced(PAGE, "sh")
    (shown,) = (block for block in blocks if "pyserini.2cr" in block)
    command = [sys.executable, *shlex.split(shown)[1:]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = re.search(r"```bash\n(.*?)```", printed, re.DOTALL)
    assert theirs is not None
    (ours,) = (block for block in blocks if "--index beir-v1.0.0-scifact.flat" in block)
    options = shlex.split(ours.split("\npython ")[0])
    assert options[:2] == ["qpeft", "search"]
    assert options[-2:] == ["--qpeft.depth", "100"]
    assert sorted(options[2:-2]) == sorted(shlex.split(theirs[1])[3:])
