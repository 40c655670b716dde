"""The command line of `python -m benchmarks`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.rivals import NAMES
from benchmarks.sizes import SIZES
from pyserini_qpeft.models.device import cpu_multiplies_bfloat16

PARTS = ("speed", "outside", "cache", "growth", "training", "faster", "profile", "engines")
_RESULTS = Path(__file__).parent / "results"
_SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass(frozen=True, slots=True)
class Options:
    """The options; `python -m benchmarks --help` describes them."""

    parts: tuple[str, ...]
    sizes: tuple[str, ...]
    rivals: tuple[str, ...]
    dtypes: tuple[str, ...]
    device: str
    rounds: int
    pairs: int | None
    passage_tokens: int
    outside_queries: int
    cache_queries: int
    cache_filled: bool
    cache_mib: int
    cache_variant: str
    growth_pairs: tuple[int, ...]
    growth_tokens: int
    training_pairs: int
    small_model: str
    quick: bool
    texts: str
    shared: Path
    output: Path
    engines_model: str
    clock: str


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; `--quick` changes the defaults."""
    parser = _parser()
    if "--quick" in (arguments or ()):
        parser.set_defaults(**_QUICK)
    given = vars(parser.parse_args(arguments)).items()
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
    return Options(**values)


_QUICK = {
    "sizes": ["tiny"],
    "dtypes": ["float32"],
    "rounds": 2,
    "pairs": 24,
    "passage_tokens": 48,
    "outside_queries": 2,
    "cache_queries": 3,
    "growth_pairs": [40, 80],
    "growth_tokens": 24,
    "training_pairs": 64,
    "small_model": "tiny",
    "texts": "generated",
    "engines_model": "tiny",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the speed and memory of scoring and training, compared with other libraries.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    gpu = torch.cuda.is_available()
    add("--quick", action="store_true", help="use a tiny model and a few pairs, to see whether everything runs")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="tables to measure")
    add(
        "--sizes",
        nargs="+",
        choices=list(SIZES),
        default=[s for s in SIZES if s not in ("tiny", "smollm2")],
        help="models for the tables speed, faster and profile",
    )
    add("--rivals", nargs="+", choices=NAMES, default=list(NAMES), help="ways of scoring in the table speed")
    add(
        "--dtypes",
        nargs="+",
        choices=["float32", "bfloat16", "float16"],
        default=_dtypes(gpu),
        help="dtypes",
    )
    add("--device", default="cuda:0" if gpu else "cpu", help="device of the models")
    add("--rounds", type=int, default=3, help="number of turns of each way")
    add("--pairs", type=int, help="pairs per turn in the table speed (default: depends on the model)")
    add("--passage-tokens", type=int, default=400, help="tokens that passages are cut to")
    add("--outside-queries", type=int, default=8, help="queries in the table outside")
    add("--cache-queries", type=int, default=1000, help="largest number of queries in the table cache")
    add("--cache-filled", action="store_true", help="table cache: fill up lists of hits to 100 with other passages")
    add("--cache-mib", type=int, default=4096, help="size of the passage cache in the table cache")
    add(
        "--cache-variant",
        choices=["none", "retrieval", "attention"],
        default="retrieval",
        help="hints in table cache",
    )
    add(
        "--growth-pairs",
        nargs="+",
        type=int,
        default=[1000, 10_000, 100_000],
        help="numbers of pairs in growth",
    )
    add("--growth-tokens", type=int, default=64, help="tokens of a passage in the table growth")
    add("--training-pairs", type=int, default=512, help="pairs per turn in the table training")
    add("--small-model", choices=list(SIZES), default="shipped", help="model in the tables outside, cache and training")
    add(
        "--texts",
        choices=["auto", "nfcorpus", "generated"],
        default="auto",
        help="auto: NFCorpus if it is found",
    )
    add("--shared", type=Path, default=_SHARED, help="folder that has NFCorpus in data/nfcorpus")
    add("--output", type=Path, default=_RESULTS, help="folder for the tables, the JSON, the plot and BM25's run")
    add("--engines-model", choices=list(SIZES), default="smollm2", help="model in the table engines")
    add(
        "--clock",
        choices=["wall", "processor"],
        default="wall",
        help="what seconds are; processor: of processor time, for one thread on a machine with other work",
    )
    return parser


def _dtypes(gpu: bool) -> list[str]:
    if gpu:
        return ["bfloat16"]
    return ["float32", "bfloat16"] if cpu_multiplies_bfloat16() else ["float32"]
