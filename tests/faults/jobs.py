"""The commands that the tests of faults disturb, and their inputs."""

import gzip
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

QUERIES = 12


@dataclass(frozen=True)
class Job:
    """A command whose output must not depend on what disturbs it.

    Attributes:
        name: Name of the job, for the report.
        arguments: Command line, with `{in}` for the folder of inputs, `{out}` for that of outputs, and `{cache}` for a
            cache folder.
        again: What is added to the command line when it goes on.
        compared: Suffixes of files that must be equal; the others (a training record has times) must be there.
        large: Whether every file counts as too large for memory.
        rounded: Whether scores may differ by rounding: passages that a killed process stored were read in other batches.
        share: Kills of this job, of 1,400 kills of all jobs.
    """

    name: str
    arguments: str
    again: str = ""
    compared: tuple[str, ...] = ("",)
    large: bool = False
    rounded: bool = False
    share: int = field(default=0, kw_only=True)


_MODEL = "--model {in}/model --dtype float32 --device cpu --quiet --query-batch-pairs 6"
_RERANK = f"rerank --run {{in}}/run.txt --topics {{in}}/topics.tsv --corpus {{in}}/corpus.jsonl {_MODEL}"
_LARGE = f"rerank --run {{in}}/run.txt.gz --topics {{in}}/topics.tsv --corpus {{in}}/corpus.jsonl {_MODEL}"
_SEARCH = (
    "search --index {in}/index --topics {in}/topics.tsv --hits 8 --qpeft.model {in}/model --dtype float32 --device cpu "
    "--quiet --qpeft.query-batch-pairs 6"
)
JOBS = [
    Job("rerank, TREC", f"{_RERANK} --output {{out}}/run.txt", share=130),
    Job("rerank, JSON", f"{_RERANK} --output {{out}}/run.jsonl --output-format jsonl", share=130),
    Job("rerank, gzipped", f"{_RERANK} --output {{out}}/run.gz", share=130),
    Job("rerank, fused", f"{_RERANK} --output {{out}}/run.txt --fusion minmax --fusion-weight 0.5", share=130),
    Job(
        "rerank, cache folder",
        f"{_RERANK} --output {{out}}/run.txt --passage-cache-folder {{cache}}/passages",
        rounded=True,
        share=130,
    ),
    Job("rerank, large files", f"{_LARGE} --output {{out}}/run.txt", large=True, share=130),
    Job(
        "train",
        "train --train {in}/examples.json --output {out}/adapter --epochs 3 --batch-queries 2 --loss pairwise "
        "--eval-steps 2 --model {in}/model --device cpu --dtype float32 --quiet",
        again="--resume",
        compared=(".safetensors", "adapter_config.json"),
        share=200,
    ),
    Job("mine", "mine --collection {in}/beir --split train --run {in}/run.txt --output {out}/train.json.gz", share=100),
    Job(
        "experiment",
        "experiment {in}/experiment.yaml --output {out}",
        compared=(".jsonl", ".trec", ".tsv", ".yaml", ".safetensors", "table.md"),
        share=100,
    ),
    Job("search, TREC", f"{_SEARCH} --output {{out}}/run.txt", share=44),
    Job("search, JSON", f"{_SEARCH} --output {{out}}/run.jsonl --output-format jsonl", share=44),
    Job("search, gzipped", f"{_SEARCH} --output {{out}}/run.gz", share=44),
    Job(
        "search, fused",
        f"{_SEARCH} --output {{out}}/run.txt --qpeft.fusion minmax --qpeft.fusion-weight 0.5",
        share=44,
    ),
    Job(
        "search, cache folder",
        f"{_SEARCH} --output {{out}}/run.txt --qpeft.passage-cache-folder {{cache}}/passages",
        rounded=True,
        share=44,
    ),
]


_EXPERIMENT = """\
name: Killed often
measures: [RR@10]
depths: [4]
hits: 8
fusion: [none, dev]
seeds: [1]
collections:
  small: {folder: beir, first-stages: {stored: run.txt}, dev: {split: dev}}
models:
  tiny:
    options: {model: model, dtype: float32, device: cpu, query-batch-pairs: 6}
    adapters:
      bare: none
      trained: {train: {train: examples.json, model: model, dtype: float32, device: cpu, epochs: 2, batch-queries: 2,
                        loss: pairwise, quiet: true}}
"""


def write_inputs(folder: Path) -> None:
    """A tiny model, a corpus, topics, qrels, a run and training examples."""
    from tiny import WORDS, save_tiny_model

    rng = random.Random(1)
    passages = {f"d{n}": " ".join(rng.choices(WORDS, k=12)) for n in range(60)}
    queries = {f"q{n}": " ".join(rng.choices(WORDS, k=4)) for n in range(QUERIES)}
    save_tiny_model(folder / "model")
    corpus = "".join(json.dumps({"_id": d, "title": "", "text": text}) + "\n" for d, text in passages.items())
    (folder / "corpus.jsonl").write_text(corpus)
    (folder / "topics.tsv").write_text("".join(f"{qid}\t{query}\n" for qid, query in queries.items()))
    hits = {qid: rng.sample(sorted(passages), 8) for qid in queries}
    lines = [
        f"{qid} Q0 {docid} {n + 1} {9 - n} bm25\n" for qid, docids in hits.items() for n, docid in enumerate(docids)
    ]
    (folder / "run.txt").write_text("".join(lines))
    (folder / "run.txt.gz").write_bytes(gzip.compress("".join(lines).encode()))
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    (beir / "corpus.jsonl").write_text(corpus)
    topics = "".join(json.dumps({"_id": qid, "text": query}) + "\n" for qid, query in queries.items())
    (beir / "queries.jsonl").write_text(topics)
    judged = "".join(f"{qid}\t{docids[3]}\t1\n" for qid, docids in hits.items())
    (beir / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    dev = "".join(f"{qid}\t{docids[2]}\t1\n" for qid, docids in hits.items())
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    (beir / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + dev)
    (folder / "experiment.yaml").write_text(_EXPERIMENT)
    examples = [
        {
            "question": query,
            "answers": [],
            "positive_ctxs": [{"title": "", "text": passages[hits[qid][3]]}],
            "hard_negative_ctxs": [{"title": "", "text": passages[docid]} for docid in hits[qid][:2]],
        }
        for qid, query in queries.items()
    ]
    (folder / "examples.json").write_text(json.dumps(examples))
