"""What `search`, `rerank` and `explain` share: the options that choose and set up a reranker."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.scoring.config import Quantization, ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.config import RerankConfig
    from pyserini_qpeft.reranker import QPeftReranker

_RANKING = ("depth", "below_depth")


@dataclass(frozen=True)
class ModelChoice:
    """Which model scores, and where."""

    model: str | None = field(
        default=None, metadata={"help": "hub id or folder of a causal language model; the shipped one when not given"}
    )
    adapter: str | None = field(
        default=None, metadata={"help": "hub id, folder or shipped name of an adapter; 'none' is the bare model"}
    )
    device: str | None = field(default=None, metadata={"help": "cpu, cuda:0 and so on; a GPU where there is one"})
    dtype: str | None = field(default=None, metadata={"help": "float32, bfloat16 or float16; the device's best"})
    quantize: Quantization | None = field(
        default=None,
        metadata={
            "help": "load the base in fewer bits: int8 (torchao) is faster on many processors, 8bit and 4bit "
            "(bitsandbytes) save a GPU's memory; scores change"
        },
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model"})


def add_model_options(parser: argparse._ActionsContainer, prefix: str = "--", *, short: Sequence[str] = ()) -> None:
    """Add the options that choose a model and say how it scores.

    Args:
        parser: Parser or group.
        prefix: What the options begin with.
        short: Those that are also spelt with two dashes alone.
    """
    for config in (ModelChoice, ScoringConfig):
        add_options(parser, config, prefix=prefix, short=short)


def add_ranking_options(parser: argparse._ActionsContainer, prefix: str = "--") -> None:
    """Add the options that say what is rescored and how scores become a ranking."""
    from pyserini_qpeft.config import RerankConfig
    from pyserini_qpeft.fusion import FusionConfig, FusionMethod

    parser.add_argument(
        f"{prefix}config", type=Path, dest="config", metavar="FILE", help="depth and fusion as qpeft tune wrote them"
    )
    add_options(parser, RerankConfig, _RANKING, prefix=prefix)
    parser.add_argument(
        f"{prefix}fusion",
        dest="fusion_method",
        nargs="?",
        const=FusionConfig().method,
        choices=get_args(FusionMethod),
        help=f"mix in the first stage's scores ({FusionConfig().method} when no method is named)",
    )
    parser.add_argument(
        f"{prefix}fusion-weight",
        type=float,
        dest="fusion_weight",
        metavar="FLOAT",
        help=f"share of the likelihood, 0 to 1 (default: {FusionConfig().weight})",
    )


def read_model_choice(args: argparse.Namespace) -> ModelChoice:
    """Which model was chosen."""
    return read_options(ModelChoice, args)


def read_rerank_config(args: argparse.Namespace) -> "RerankConfig":
    """What is to be rescored and how, as given on the command line, and else in the stored configuration.

    Raises:
        QPeftError: A value that does not exist, or a weight of a fusion that was not asked for.
    """
    from pyserini_qpeft.config import RerankConfig
    from pyserini_qpeft.fusion import FusionConfig
    from pyserini_qpeft.settings import read_rerank_config as read_stored_config

    stored = read_stored_config(args.config) if args.config is not None else RerankConfig()
    fusion = stored.fusion
    weight = {} if args.fusion_weight is None else {"weight": args.fusion_weight}
    if args.fusion_method:
        fusion = FusionConfig(args.fusion_method, **weight)
    elif weight and fusion is None:
        raise QPeftError("a fusion weight needs --fusion: without it the likelihood alone ranks.")
    elif fusion is not None:
        fusion = replace(fusion, **weight)
    given = {name: value for name, value in vars(args).items() if name in _RANKING}
    return replace(stored, **given, fusion=fusion, scoring=read_options(ScoringConfig, args))


def load_reranker(choice: ModelChoice, config: "RerankConfig | None" = None, *, quiet: bool = False) -> "QPeftReranker":
    """The reranker; transformers' own progress bar is left out where `quiet`."""
    from transformers.utils import logging

    from pyserini_qpeft.reranker import QPeftReranker

    if quiet:
        logging.disable_progress_bar()
    return QPeftReranker.from_pretrained(config=config, **asdict(choice))
