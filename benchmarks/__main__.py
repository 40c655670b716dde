"""`python -m benchmarks`: measures, prints the tables, and writes them as JSON and as a plot."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import AutoTokenizer

from benchmarks.clock import use_processor_time
from benchmarks.context import Context
from benchmarks.machine import Machine
from benchmarks.options import Options, read_options
from benchmarks.quiet import quiet
from benchmarks.report import Report
from benchmarks.texts import TextSet, generated, nfcorpus
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.loading import SHIPPED_MODEL

_GENERATED_QUERIES = 323
_QUICK_QUERIES = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the chosen tables, one after the other.

    Returns:
        The exit code.
    """
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    log = _logger()
    try:
        # What libraries print goes to stderr, so that stdout has the tables only.
        with TemporaryDirectory() as work, redirect_stdout(sys.stderr):
            report = _measured(options, Path(work), log)
    except QPeftError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    print(report.as_text())
    return 0


def _measured(options: Options, work: Path, log: Callable[[str], None]) -> Report:
    if options.clock == "processor":
        use_processor_time()
    options.output.mkdir(parents=True, exist_ok=True)
    texts = _texts(options)
    quiet()
    log(texts.source)
    report = Report(options, Machine.this(options.device), texts.source)
    context = Context(options, texts, work, log)
    for part in options.parts:
        for row in import_module(f"benchmarks.tables.{part}").measure(context):
            report.add(part, row)
    report.save_plot()
    return report


def _texts(options: Options) -> TextSet:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED_MODEL)
    data = options.shared / "data" / "nfcorpus"
    if options.texts == "nfcorpus" and not data.is_dir():
        raise QPeftError("NFCorpus was not found: give the folder that has data/nfcorpus with --shared.")
    if options.texts == "generated" or not data.is_dir():
        queries = _QUICK_QUERIES if options.quick else _GENERATED_QUERIES
        return generated(tokenizer, options.passage_tokens, queries)
    return nfcorpus(data, options.output / "cache", tokenizer, options.passage_tokens)


def _logger() -> Callable[[str], None]:
    """Prints messages with the seconds since the start."""
    start = time.perf_counter()
    return lambda message: print(f"[{time.perf_counter() - start:7.1f} s] {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
