"""Options that choose a model or a cascade and say how it reranks, for `search`, `rerank`, `explain` and `demo`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pyserini_qpeft.cli.options import add_options, one_of, read_options
from pyserini_qpeft.data.records import ScoredDoc
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.adaptive.rule import StoppingRule
    from pyserini_qpeft.cascade.config import CascadeConfig
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.protocol import Reranker
    from pyserini_qpeft.reranking.reranker import QPeftReranker

_RANKING = ("depth", "margin", "below_depth", "minimum_probability", "milliseconds")
_OF_STAGES = ("model", "adapter", "depth", "margin")
"""Options that the stages of a cascade have each for itself."""
_WITHOUT_CASCADE = ("adaptive", "calibration", "minimum_probability")


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
    from pyserini_qpeft.cli.windows import add_window_options
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.fusion import FusionConfig, FusionMethod

    method = FusionConfig().method
    parser.add_argument(
        f"{prefix}config",
        type=Path,
        dest="config",
        metavar="FILE",
        help="depth, fusion and windows, as qpeft tune writes them",
    )
    add_cascade_option(parser, prefix)
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
    add_window_options(parser, prefix)
    parser.add_argument(
        f"{prefix}adaptive",
        dest="adaptive",
        nargs="?",
        const="",
        metavar="FILE",
        help="stop reading a query's hits when its first 10 can hardly change any more; FILE is a rule that qpeft tune "
        "--stopping has written (default: read all hits; without FILE: the rule that comes with the model)",
    )
    parser.add_argument(
        f"{prefix}calibration",
        type=Path,
        dest="calibration",
        metavar="FILE",
        help="probabilities of relevance, as qpeft tune --calibration writes them (default: those that come with the "
        "model)",
    )


def add_cascade_option(parser: argparse._ActionsContainer, prefix: str = "--") -> None:
    """Add the option that chooses a cascade."""
    parser.add_argument(
        f"{prefix}cascade",
        dest="cascade",
        metavar="STAGES",
        help="several models, one after the other, in place of one: MODEL[+ADAPTER]@DEPTH[~MARGIN][:FUSION][:WEIGHT], "
        "separated by commas, such as tiny@100,smollm2-135m-q4@20; each rescores the first hits of the one before; or "
        "a JSON file",
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
    from pyserini_qpeft.cli.windows import read_windows
    from pyserini_qpeft.reranking.config import RerankConfig
    from pyserini_qpeft.reranking.config_file import read_rerank_config as read_stored_config
    from pyserini_qpeft.reranking.fusion import choose_fusion

    stored = read_stored_config(args.config) if args.config is not None else RerankConfig()
    fusion = choose_fusion(stored.fusion, args.fusion_method, args.fusion_weight)
    given = {name: value for name, value in vars(args).items() if name in _RANKING}
    return replace(
        stored,
        **given,
        fusion=fusion,
        calibration=None if args.calibration is None else read_calibration(args.calibration),
        windows=read_windows(args, stored.windows),
        scoring=read_options(ScoringConfig, args),
    )


@dataclass(frozen=True)
class Reranking:
    """What the options say about reranking, checked before anything is read or loaded.

    Attributes:
        model: The model; None with a cascade.
        config: How it reranks; with a cascade, what all stages share.
        cascade: The cascade, or None.
        adaptive: Whether reading stops before the depth (adaptive depth).
        rule: When reading stops; None is the rule that comes with the model.
    """

    model: ModelConfig
    config: "RerankConfig"
    cascade: "CascadeConfig | None" = None
    adaptive: bool = False
    rule: "StoppingRule | None" = None

    def needed_texts(self, hits: Sequence[ScoredDoc]) -> int:
        """How many of a query's first hits need a text."""
        from pyserini_qpeft.cascade.config import needed_texts
        from pyserini_qpeft.reranking.requests import rescored

        if self.cascade is None:
            return rescored(hits, self.config)
        stages = [stage.config for stage in self.cascade.stages]
        return needed_texts(len(hits), rescored(hits, stages[0]), stages)

    def load(self, *, quiet: bool) -> "Reranker":
        """Load the models; `quiet` turns off the progress bar of transformers."""
        if self.cascade is not None:
            from pyserini_qpeft.cascade.reranker import CascadeReranker

            _be_quiet(quiet)
            return CascadeReranker.from_config(self.cascade)
        reranker = load_reranker(self.model, self.config, quiet=quiet)
        if not self.adaptive:
            return reranker
        from pyserini_qpeft.adaptive.reranker import AdaptiveReranker

        return AdaptiveReranker(reranker, self.rule)


def read_reranking(args: argparse.Namespace) -> Reranking:
    """The model or the cascade that the options choose, and how it reranks.

    Raises:
        QPeftError: A value is unknown or out of range, or an option belongs to the stages of the cascade.
    """
    model, config = read_model_config(args), read_rerank_config(args)
    if args.cascade is None:
        return Reranking(model, config, adaptive=args.adaptive is not None, rule=_read_rule(args.adaptive, config))
    return Reranking(model, config, read_stages(args, config))


def read_stages(args: argparse.Namespace, config: "RerankConfig") -> "CascadeConfig":
    """The cascade that the options choose.

    Args:
        args: The options; `cascade` is given.
        config: What all stages share.

    Raises:
        QPeftError: The stages cannot be read, or an option is given that each stage has for itself, or that a cascade
            cannot follow.
    """
    from pyserini_qpeft.cascade.config import FORM, read_cascade

    for name in _OF_STAGES:
        if name in args:
            raise QPeftError(f"{name} is given with a cascade: each stage has its own, {FORM}.")
    for name in _WITHOUT_CASCADE:
        if getattr(args, name, None) is not None:
            raise QPeftError(f"{name.replace('_', '-')} cannot be used with a cascade: leave one of them out.")
    for name in ("depth", "margin"):
        if getattr(config, name) is not None:
            raise QPeftError(
                f"{args.config} sets the {name}, and each stage of a cascade has its own, {FORM}: take it out of the "
                "file."
            )
    return read_cascade(args.cascade, read_model_config(args), config)


def _read_rule(name: str | None, config: "RerankConfig") -> "StoppingRule | None":
    """The rule in the file that `--adaptive` names; None without a file."""
    if name is None:
        return None
    from pyserini_qpeft.adaptive.rule_file import read_rule
    from pyserini_qpeft.adaptive.unread import refuse_rank_fusion

    refuse_rank_fusion(config.fusion)
    return read_rule(name) if name else None


def load_reranker(model: ModelConfig, config: "RerankConfig | None" = None, *, quiet: bool = False) -> "QPeftReranker":
    """Load the reranker; `quiet` turns off the progress bar of transformers."""
    from pyserini_qpeft.reranking.reranker import QPeftReranker

    _be_quiet(quiet)
    return QPeftReranker.from_config(model, config)


def _be_quiet(quiet: bool) -> None:
    from transformers.utils import logging

    if quiet:
        logging.disable_progress_bar()
