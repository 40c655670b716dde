"""Options that choose a model and say how it reranks, for `search`, `rerank`, `explain` and `demo`."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pyserini_qpeft.cli.options import add_options, one_of, read_options
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.protocol import Reranker
    from pyserini_qpeft.reranking.reranker import QPeftReranker

_RANKING = ("depth", "below_depth", "minimum_probability")


def add_model_options(parser: argparse._ActionsContainer, prefix: str = "--", *, short: Sequence[str] = ()) -> None:
    """Add the options that choose a model and say how it scores.

    Args:
        parser: Parser or group.
        prefix: What the options begin with.
        short: Options that are also accepted with two dashes in place of the prefix.
    """
    for config in (ModelConfig, ScoringConfig):
        add_options(parser, config, prefix=prefix, short=short)


def add_ranking_options(parser: argparse._ActionsContainer, prefix: str = "--") -> None:
    """Add the options that say which hits are rescored and how scores become a ranking."""
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.fusion import FusionConfig, FusionMethod

    method = FusionConfig().method
    parser.add_argument(
        f"{prefix}config", type=Path, dest="config", metavar="FILE", help="depth and fusion, as qpeft tune writes them"
    )
    add_options(parser, RerankConfig, _RANKING, prefix=prefix)
    parser.add_argument(
        f"{prefix}fusion",
        dest="fusion_method",
        nargs="?",
        const=method,
        help="how the likelihood is fused with the first stage's scores; none ranks by the likelihood alone "
        f"(default: {method})",
        **one_of(("none", *get_args(FusionMethod))),
    )
    parser.add_argument(
        f"{prefix}fusion-weight",
        type=float,
        dest="fusion_weight",
        metavar="FLOAT",
        help="weight of the likelihood, 0 to 1; the first stage gets the rest (default: the weight that comes with "
        "the model)",
    )
    parser.add_argument(
        f"{prefix}adaptive",
        dest="adaptive",
        nargs="?",
        const="",
        metavar="FILE",
        help="stop reading a query's hits when its first 10 can hardly change any more; FILE is a rule that qpeft tune "
        "--stopping has written (default: read all hits; without FILE: the rule that comes with the package)",
    )
    parser.add_argument(
        f"{prefix}calibration",
        type=Path,
        dest="calibration",
        metavar="FILE",
        help="probabilities of relevance, as qpeft tune --calibration writes them (default: those that come with the "
        "model)",
    )


def read_model_config(args: argparse.Namespace) -> ModelConfig:
    """The model that the options choose."""
    return read_options(ModelConfig, args)


def read_rerank_config(args: argparse.Namespace) -> "RerankConfig":
    """The stored configuration, or the default, with the values that are given on the command line.

    Raises:
        QPeftError: A value is unknown or out of range, or a fusion weight is given without fusion.
    """
    from pyserini_qpeft.calibration.calibration_file import read_calibration
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.config_file import read_rerank_config as read_stored_config
    from pyserini_qpeft.reranking.fusion import FusionConfig

    stored = read_stored_config(args.config) if args.config is not None else RerankConfig()
    fusion = stored.fusion
    if args.fusion_method is not None:
        fusion = None if args.fusion_method == "none" else FusionConfig(args.fusion_method)
    if args.fusion_weight is not None:
        if fusion is None:
            raise QPeftError("a fusion weight has no effect without fusion: leave it out, or name a method of fusion.")
        fusion = replace(fusion, weight=args.fusion_weight)
    given = {name: value for name, value in vars(args).items() if name in _RANKING}
    calibration = None if args.calibration is None else read_calibration(args.calibration)
    scoring = read_options(ScoringConfig, args)
    return replace(stored, **given, fusion=fusion, calibration=calibration, scoring=scoring)


def with_adaptive_depth(reranker: "QPeftReranker", args: argparse.Namespace) -> "Reranker":
    """The reranker, with adaptive depth if `--adaptive` asks for it.

    Raises:
        QPeftError: The rule cannot be read, or the fusion is `rrf`.
    """
    if args.adaptive is None:
        return reranker
    from pyserini_qpeft.adaptive.reranker import AdaptiveReranker
    from pyserini_qpeft.adaptive.rule_file import read_rule

    return AdaptiveReranker(reranker, read_rule(args.adaptive or None))


def load_reranker(model: ModelConfig, config: "RerankConfig | None" = None, *, quiet: bool = False) -> "QPeftReranker":
    """Load the reranker; `quiet` turns off the progress bar of transformers."""
    from transformers.utils import logging

    from pyserini_qpeft.reranking.reranker import QPeftReranker

    if quiet:
        logging.disable_progress_bar()
    return QPeftReranker.from_config(model, config)
