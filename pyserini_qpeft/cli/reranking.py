"""What `search`, `rerank` and `explain` share: the options that choose and set up a reranker."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pyserini_qpeft.cli.options import add_options, read_options
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.reranker import QPeftReranker

_RANKING = ("depth", "below_depth")


def add_model_options(parser: argparse._ActionsContainer, prefix: str = "--", *, short: Sequence[str] = ()) -> None:
    """Add the options that choose a model and say how it scores.

    Args:
        parser: Parser or group.
        prefix: What the options begin with.
        short: Those that are also spelt with two dashes alone.
    """
    for config in (ModelConfig, ScoringConfig):
        add_options(parser, config, prefix=prefix, short=short)


def add_ranking_options(parser: argparse._ActionsContainer, prefix: str = "--") -> None:
    """Add the options that say what is rescored and how scores become a ranking."""
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.fusion import FusionConfig, FusionMethod

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


def read_model_config(args: argparse.Namespace) -> ModelConfig:
    """Which model was chosen."""
    return read_options(ModelConfig, args)


def read_rerank_config(args: argparse.Namespace) -> "RerankConfig":
    """What is to be rescored and how, as given on the command line, and else in the stored configuration.

    Raises:
        QPeftError: A value that does not exist, or a weight of a fusion that was not asked for.
    """
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.config_file import read_rerank_config as read_stored_config
    from pyserini_qpeft.reranking.fusion import FusionConfig

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


def load_reranker(model: ModelConfig, config: "RerankConfig | None" = None, *, quiet: bool = False) -> "QPeftReranker":
    """The reranker; transformers' own progress bar is left out where `quiet`."""
    from transformers.utils import logging

    from pyserini_qpeft.reranking.reranker import QPeftReranker

    if quiet:
        logging.disable_progress_bar()
    return QPeftReranker.from_config(model, config)
