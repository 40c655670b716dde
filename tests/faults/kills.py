"""Kills commands at random moments and runs them again: the output must be that of a run that nobody disturbed.

    python tests/faults/kills.py --kills 1000 --report kills.json

Each trial starts a job in a fresh folder, kills it up to three times with SIGKILL, and lets it end. Then every file of
the folder must be byte-equal to that of an undisturbed run, and there must be no other file. A job runs in a fork of
this process, which has imported torch already; jobs that start Java run in a process of their own.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT.parent)]

KILLS_IN_A_TRIAL = 3
QUERIES = 12


@dataclass(frozen=True)
class Job:
    """A command whose output must not depend on kills.

    Attributes:
        name: Name of the job, for the report.
        arguments: Command line, with `{in}` for the folder of inputs and `{out}` for that of outputs.
        again: What is added to the command line when it goes on.
        java: Whether it starts Java, which a forked process cannot do.
        compared: Suffixes of files that must be equal; the others (a training record has times) must be there.
    """

    name: str
    arguments: str
    again: str = ""
    java: bool = False
    compared: tuple[str, ...] = ("",)


_MODEL = "--model {in}/model --dtype float32 --device cpu --quiet --query-batch-pairs 6"
_RERANK = f"rerank --run {{in}}/run.txt --topics {{in}}/topics.tsv --corpus {{in}}/corpus.jsonl {_MODEL}"
_SEARCH = (
    "search --index {in}/index --topics {in}/topics.tsv --hits 8 --qpeft.model {in}/model --dtype float32 --device cpu "
    "--quiet --qpeft.query-batch-pairs 6"
)
JOBS = [
    Job("rerank, TREC", f"{_RERANK} --output {{out}}/run.txt"),
    Job("rerank, JSON", f"{_RERANK} --output {{out}}/run.jsonl --output-format jsonl"),
    Job("rerank, gzipped", f"{_RERANK} --output {{out}}/run.gz"),
    Job("rerank, fused", f"{_RERANK} --output {{out}}/run.txt --fusion minmax --fusion-weight 0.5"),
    Job("mine", "mine --collection {in}/beir --split train --run {in}/run.txt --output {out}/train.json.gz"),
    Job(
        "train",
        "train --train {in}/examples.json --output {out}/adapter --epochs 6 --batch-queries 2 --loss pairwise "
        "--eval-steps 2 --model {in}/model --device cpu --dtype float32 --quiet",
        again="--resume",
        compared=(".safetensors", "adapter_config.json"),
    ),
    Job(
        "experiment",
        "experiment {in}/experiment.yaml --output {out}",
        compared=(".jsonl", ".trec", ".tsv", ".yaml", ".safetensors", "table.md"),
    ),
    Job("search, TREC", f"{_SEARCH} --output {{out}}/run.txt", java=True),
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


def _command(arguments: Sequence[str], log: Path) -> None:
    """The command in a process of its own."""
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from pyserini_qpeft.cli.__main__ import main

    os._exit(main(arguments))


def run(job: Job, inputs: Path, outputs: Path, log: Path, *, again: bool = False, seconds: float | None = None) -> int:
    """Runs a job, and kills it after some seconds if it has not ended.

    Returns:
        Its exit code; -9 if it was killed.
    """
    words = [*job.arguments.split(), *(job.again.split() if again else ())]
    arguments = [word.format(**{"in": inputs, "out": outputs}) for word in words]
    context = multiprocessing.get_context("spawn" if job.java else "fork")
    process = context.Process(target=_command, args=(arguments, log))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return int(process.exitcode or 0)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def difference(job: Job, expected: dict[str, bytes], found: dict[str, bytes]) -> str:
    """What differs from an undisturbed run; empty if nothing does."""
    if expected.keys() != found.keys():
        return f"files {sorted(found)} instead of {sorted(expected)}"
    other = [name for name in expected if name.endswith(job.compared) and expected[name] != found[name]]
    return f"other content: {', '.join(other)}" if other else ""


@dataclass
class Count:
    """Figures of one job."""

    kills: int = 0
    trials: int = 0
    identical: int = 0
    ended_before: int = 0
    failures: tuple[str, ...] = ()


def kill_often(
    job: Job, inputs: Path, work: Path, kills: int, rng: random.Random, show: Callable[[str], None]
) -> Count:
    """Kills a job until it was killed `kills` times in all, and checks the output after every third kill or so."""
    outputs, log = work / "out", work / "log"
    outputs.mkdir()
    begin = time.monotonic()
    code = run(job, inputs, outputs, log)
    length = time.monotonic() - begin
    if code:
        show(f"{job.name}: the undisturbed run ended with {code}: {log.read_text()[-300:]}")
        return Count(failures=("the undisturbed run failed",))
    expected = contents(outputs)
    count = Count()
    while count.kills < kills and not count.failures:
        shutil.rmtree(outputs)
        outputs.mkdir()
        log.unlink(missing_ok=True)
        moments, killed = [], 0
        for _ in range(rng.randint(1, KILLS_IN_A_TRIAL)):
            moments.append(rng.uniform(0, 1.05 * length))
            unfinished = any(outputs.iterdir())
            if run(job, inputs, outputs, log, again=unfinished, seconds=moments[-1]) != -signal.SIGKILL:
                count.ended_before += 1
                break
            killed += 1
        else:
            code = 0 if contents(outputs) == expected else run(job, inputs, outputs, log, again=any(outputs.iterdir()))
            # The process may have written its output just before it was killed. Some jobs refuse to write it again.
            if code and difference(job, expected, contents(outputs)):
                count.failures += (f"ended with {code} after kills at {moments}: {log.read_text()[-300:]}",)
        count.kills += killed
        count.trials += 1
        wrong = difference(job, expected, contents(outputs))
        count.identical += not wrong
        if wrong:
            count.failures += (f"after kills at {moments} s: {wrong}",)
    show(f"{job.name}: {count.kills} kills, {count.identical} of {count.trials} outputs identical; {count.failures}")
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Kills every job; prints the figures and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="kills in all (default: 1000)")
    parser.add_argument("--jobs", nargs="+", choices=[job.name for job in JOBS], help="jobs to kill (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, metavar="FILE", help="file for the figures (JSON)")
    given = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    import transformers  # noqa: F401

    import pyserini_qpeft.training.run  # noqa: F401

    jobs = [job for job in JOBS if given.jobs is None or job.name in given.jobs]
    counts: dict[str, Count] = {}
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "in")
        inputs.mkdir()
        os.environ["QPEFT_CACHE"] = str(Path(folder, "cache"))
        write_inputs(inputs)
        if any(job.java for job in jobs):
            log = Path(folder, "log")
            words = f"index --corpus {inputs}/corpus.jsonl --index {inputs}/index --quiet"
            run(Job("index", words, java=True), inputs, inputs, log)
        for place, job in enumerate(jobs):
            work = Path(folder, str(place))
            work.mkdir()
            share = given.kills // len(jobs) + (place < given.kills % len(jobs))
            counts[job.name] = kill_often(job, inputs, work, share, random.Random(given.seed + place), print)
            if given.report:
                given.report.write_text(json.dumps({name: vars(one) for name, one in counts.items()}, indent=1) + "\n")
    kills, trials = sum(one.kills for one in counts.values()), sum(one.trials for one in counts.values())
    print(f"{kills} kills, {sum(one.identical for one in counts.values())} of {trials} outputs identical")
    return int(any(one.failures for one in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
