"""`qpeft train`: trains an adapter on queries with passages."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyserini_qpeft.training.card import TrainingRecord
    from pyserini_qpeft.training.config import TrainConfig

HELP = "train an adapter: Q-PEFT with retrieved or attended hints, prompt tuning, or LoRA"

_BASE = ("model", "device", "dtype", "quantize", "trust_remote_code")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    from pyserini_qpeft.cli.options import add_options
    from pyserini_qpeft.models.config import ModelConfig
    from pyserini_qpeft.qpeft.config import QPeftConfig
    from pyserini_qpeft.training.adapter_config import AdapterConfig
    from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig
    from pyserini_qpeft.training.losses.config import LossConfig

    parser.add_argument(
        "--train",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE",
        help="training examples in DPR's JSON (qpeft mine writes them)",
    )
    parser.add_argument(
        "--dev",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="dev examples in DPR's JSON, on which the best checkpoint is chosen",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="folder of the new adapter")
    parser.add_argument("--resume", action="store_true", help="continue an unfinished training run of this output")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_options(parser, TrainConfig)
    add_options(parser.add_argument_group("base model"), ModelConfig, _BASE)
    adapter = parser.add_argument_group("adapter")
    add_options(adapter, AdapterConfig)
    add_options(adapter, QPeftConfig, QPeftConfig.options())
    add_options(parser.add_argument_group("examples"), SamplingConfig)
    add_options(parser.add_argument_group("loss"), LossConfig)
    add_options(parser.add_argument_group("optimization"), OptimizationConfig)


def outputs(args: argparse.Namespace) -> dict[str, list[Path]]:
    """The files that the command writes, by option."""
    return {"output": [args.output]}


def run(args: argparse.Namespace) -> None:
    """Train, and print the result in one line."""
    from transformers.utils import logging

    from pyserini_qpeft.training.run import train

    config = read_config(args)
    if not config.progress:
        logging.disable_progress_bar()
    record = train(config, resume=args.resume)
    if record is None:
        print(f"{config.output}: this run is finished already", file=sys.stderr)
    else:
        print(_summary(record), file=sys.stderr)


def read_config(args: argparse.Namespace) -> "TrainConfig":
    """Return the settings that were given on the command line."""
    from pyserini_qpeft.cli.options import read_options
    from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
    from pyserini_qpeft.qpeft.config import QPeftConfig
    from pyserini_qpeft.training.adapter_config import AdapterConfig
    from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig
    from pyserini_qpeft.training.losses.config import LossConfig

    prompt = {name: getattr(args, name) for name in QPeftConfig.options() if hasattr(args, name)}
    return read_options(
        TrainConfig,
        args,
        progress=not args.quiet,
        train=tuple(args.train),
        dev=tuple(args.dev),
        base=read_options(ModelConfig, args, adapter=NO_ADAPTER),
        adapter=read_options(AdapterConfig, args, prompt=prompt),
        sampling=read_options(SamplingConfig, args),
        loss=read_options(LossConfig, args),
        optimization=read_options(OptimizationConfig, args),
    )


def _summary(record: "TrainingRecord") -> str:
    kept = next((point for point in record.curve if point["step"] == record.best_step), None)
    dev = f", dev nDCG@10 {kept['ndcg']:.4f} (base model {record.bare['ndcg']:.4f})" if kept else ""
    return f"{record.config.output}: {record.steps} steps in {record.seconds:.0f} s{dev}"
