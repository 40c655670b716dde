"""`python -m benchmarks.faults.streaming`: memory and time of large runs and corpora, against the number of lines."""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib import color_sequences
from matplotlib.figure import Figure

from pyserini_qpeft.cli.texts import KEPT_IN_MEMORY_BYTES

HITS = 1000
DEPTH = 10
_WORDS = ("river", "capital", "bridge", "music", "engine", "season", "forest", "letter", "market", "window", "history")
_DATABASE = "corpus to database"
_RERANK = {
    "rerank": ("txt", "txt"),
    "rerank, JSON lines": ("jsonl", "txt"),
    "rerank, CSV": ("csv", "txt"),
    "rerank to JSON lines": ("txt", "jsonl"),
}
"""Formats of the run that is read and of the one that is written."""
_EVALUATE = {"evaluate": "txt", "evaluate, JSON lines": "jsonl", "evaluate, CSV": "csv"}
_NAMES = {"txt": "trec", "jsonl": "jsonl"}
_MARKERS = dict(zip((_DATABASE, *_RERANK, *_EVALUATE), "^oDvPsXd", strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """One command.

    Attributes:
        command: What was done.
        lines: Lines of the run.
        passages: Passages of the corpus.
        seconds: Wall-clock time, start of Python included.
        cpu_seconds: Time of the processor.
        peak_bytes: Largest resident memory.
    """

    command: str
    lines: int
    passages: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Generates the files, runs the commands, and writes the figures and a plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--lines", nargs="+", type=int, default=[100_000, 1_000_000, 10_000_000], help="sizes of the run"
    )
    parser.add_argument("--passages", type=int, default=8_841_823, help="size of the corpus (default: MS MARCO's)")
    parser.add_argument("--commands", nargs="+", choices=tuple(_MARKERS), default=list(_MARKERS))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for row in _measured(Path(folder), options):
            rows.append(row)
            print(
                f"{row.command}: {row.lines:,} lines, {row.passages:,} passages, {row.seconds:.0f} s "
                f"({row.cpu_seconds:.0f} s of the processor), {row.peak_bytes / 2**20:,.0f} MiB",
                flush=True,
            )
            text = json.dumps({"hits": HITS, "depth": DEPTH, "rows": [asdict(one) for one in rows]}, indent=1)
            (options.output / "streaming.json").write_text(text + "\n")
            if any(one.command != _DATABASE for one in rows):
                _draw(rows).savefig(options.output / "streaming.png", dpi=150)
    return 0


def _measured(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    corpus, topics, qrels, model = (folder / name for name in ("corpus.jsonl", "topics.tsv", "qrels.txt", "model"))
    # In a process of its own: a child's largest memory counts what its parent had when it started the child.
    saving = get_context("spawn").Process(target=_save_model, args=(model,))
    saving.start()
    saving.join()
    settings = ["--dtype=float32", "--device=cpu", "--quiet", f"--depth={DEPTH}", "--below-depth=drop"]
    common = [f"--topics={topics}", f"--corpus={corpus}", f"--model={model}", *settings]
    os.environ["QPEFT_CACHE"] = str(folder / "cache")
    os.environ["HF_HUB_OFFLINE"] = "1"
    if {_DATABASE, *_RERANK} & set(options.commands):
        _write_corpus(corpus, options.passages)
        # A run of one query: most of the time is that of the database.
        _write_run(folder / "one.txt", topics, qrels, HITS, options.passages)
        words = ["rerank", f"--run={folder / 'one.txt'}", *common, f"--output={folder / 'one.out'}"]
        row = _timed(_DATABASE, words, HITS, options.passages)
        if _DATABASE in options.commands and corpus.stat().st_size > KEPT_IN_MEMORY_BYTES:
            yield row  # a smaller corpus has no database
    for lines in options.lines:
        run = folder / "run.txt"
        _write_run(run, topics, qrels, lines, options.passages)
        for form, write in (("txt", None), ("jsonl", _write_json), ("csv", _write_csv)):
            file = run.with_suffix(f".{form}")
            reranks = {name: to for name, (read, to) in _RERANK.items() if read == form and name in options.commands}
            evaluates = [name for name, read in _EVALUATE.items() if read == form and name in options.commands]
            if write is not None and (reranks or evaluates):
                write(run, file)
            for name, to in reranks.items():
                output = folder / f"out.{to}"
                words = ["rerank", f"--run={file}", *common, f"--output={output}", f"--output-format={_NAMES[to]}"]
                yield _timed(name, words, lines, options.passages)
                output.unlink()
            for name in evaluates:
                words = ["evaluate", str(file), f"--qrels={qrels}", "--measures", "nDCG@10", "AP"]
                yield _timed(name, words, lines, options.passages)
            if write is not None:
                file.unlink(missing_ok=True)


def _timed(command: str, words: Sequence[str], lines: int, passages: int) -> Row:
    """Runs a command in a process of its own."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pyserini_qpeft", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} ended with {status}: {said.decode()[-1000:]}")
    seconds = time.perf_counter() - begin
    return Row(command, lines, passages, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _write_corpus(file: Path, passages: int) -> None:
    rng = random.Random(1)
    texts = [" ".join(rng.choices(_WORDS, k=55)) for _ in range(1000)]  # about 350 bytes, as in MS MARCO
    with file.open("w") as corpus:
        for number in range(passages):
            corpus.write(f'{{"_id": "{number}", "title": "", "text": "{number} {texts[number % 1000]}"}}\n')


def _write_run(run: Path, topics: Path, qrels: Path, lines: int, passages: int) -> None:
    rng = random.Random(2)
    queries = max(1, lines // HITS)
    with run.open("w") as hits, topics.open("w") as texts, qrels.open("w") as judged:
        for qid in range(queries):
            texts.write(f"{qid}\t{' '.join(rng.choices(_WORDS, k=5))}\n")
            judged.write(f"{qid} 0 {rng.randrange(passages)} 1\n")
            start = rng.randrange(passages)
            for rank in range(HITS):
                docid = (start + rank * 7919) % passages
                hits.write(f"{qid} Q0 {docid} {rank + 1} {(HITS - rank) / 8} bm25\n")
            judged.write(f"{qid} 0 {start} 1\n")


def _write_json(run: Path, file: Path) -> None:
    """The hits of a run in JSON lines, with all numbers that this package writes, without texts."""
    with run.open() as hits, file.open("w") as lines:
        for qid, group in groupby((hit.split() for hit in hits), key=itemgetter(0)):
            found = [
                {
                    **{"docid": docid, "score": float(score), "rank": int(rank), "first_stage_score": float(score)},
                    **{"first_stage_rank": int(rank), "likelihood": -float(rank)},
                }
                for _, _, docid, rank, score, _ in group
            ]
            lines.write(json.dumps({"qid": qid, "query": "q", "hits": found}) + "\n")


def _write_csv(run: Path, file: Path) -> None:
    """The hits of a run as comma-separated values."""
    with run.open() as hits, file.open("w") as lines:
        lines.write("qid,docid,rank,score\n")
        for hit in hits:
            qid, _, docid, rank, score, _ = hit.split()
            lines.write(f"{qid},{docid},{rank},{score}\n")


def _save_model(folder: Path) -> None:
    """A model with random weights that takes next to no time, so that the files are what is measured."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from pyserini_qpeft.models.loading import SHIPPED_MODEL

    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_MODEL)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _draw(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    memory, seconds = figure.subplots(1, 2)
    okabe_ito = color_sequences["okabe_ito"]
    colours = dict(zip(_MARKERS, okabe_ito, strict=False))
    for command, marker in _MARKERS.items():
        own = [row for row in rows if row.command == command != _DATABASE]
        lines = [row.lines for row in own]
        look = {"marker": marker, "color": colours[command], "label": command}
        if own:
            memory.plot(lines, [row.peak_bytes / 2**20 for row in own], **look)
            seconds.plot(lines, [row.cpu_seconds for row in own], **look)
    memory.axhline(2048, color="0.4", linestyle="--", linewidth=1)
    memory.annotate("2 GiB", (0.02, 2048), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    memory.set(xscale="log", ylim=(0, None), xlabel="lines of the run", ylabel="peak resident memory (MiB)")
    seconds.set(xscale="log", yscale="log", xlabel="lines of the run", ylabel="processor time (s)")
    for axes in (memory, seconds):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.9", linewidth=0.8)
    seconds.legend(frameon=False)
    passages = max((row.passages for row in rows), default=0)
    figure.suptitle(
        f"{HITS:,} hits per query, depth {DEPTH}, {passages:,} passages; a model that takes next to no time"
    )
    return figure


if __name__ == "__main__":
    sys.exit(main())
