"""Settings of reranking: which hits are rescored, and how scores become a ranking."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pyserini_qpeft.calibration.calibration import Calibration
from pyserini_qpeft.checks import check_number, check_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.tail import BELOW_DEPTH, BelowDepth
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.windows.config import WindowConfig


@dataclass(frozen=True)
class RerankConfig:
    """Which hits are rescored, and how scores become a ranking.

    Attributes:
        depth: How many of a query's first hits are rescored; None is all.
        below_depth: What becomes of the hits below the depth: `keep` (after the rescored ones, in their order) or
            `drop`.
        fusion: How the first stage's scores are mixed in; None ranks by the likelihood alone. A weight of None is the
            one that comes with the model: `QPeftReranker.config` shows it.
        calibration: From likelihoods to probabilities of relevance; see `Calibration`. None is the one that comes with
            the model, if it has one: `QPeftReranker.config` shows it.
        minimum_probability: Hits with a lower probability of relevance are dropped, and so are hits that are not
            rescored; None keeps all. It needs a calibration.
        scoring: How pairs are scored.
        windows: How documents that are longer than a passage are scored through windows; None cuts their end.
        milliseconds: Time limit for each query, in milliseconds of wall-clock time. The hits are scored from the first
            on, and those that are not scored in time join the tail. None: no limit. A run with a limit is not
            reproducible: how many hits are scored depends on the machine.
        progress: Whether `rerank_batch` shows a progress bar.
        margin: Of the hits to the depth, only those up to the first whose first-stage score is more than this below
            that of the first hit are rescored; the others count as below the depth. None: all. It has no effect if a
            first-stage score is missing or not finite. A cascade makes use of it: where a stage is sure, the next one
            has little to read.

    Raises:
        QPeftError: A value is unknown or out of range.
    """

    depth: int | None = field(
        default=None, metadata={"help": "how many of a query's first hits are rescored (default: all)"}
    )
    below_depth: BelowDepth = field(
        default="keep",
        metadata={"help": "keep the hits below the depth, after the rescored ones and in their order, or drop them"},
    )
    fusion: FusionConfig | None = field(default_factory=FusionConfig)
    calibration: Calibration | None = None
    minimum_probability: float | None = field(
        default=None,
        metadata={
            "help": "drop the hits whose calibrated probability of relevance is lower, 0 to 1, and those that are not "
            "rescored (default: keep all)"
        },
    )
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    windows: WindowConfig | None = None
    milliseconds: float | None = field(
        default=None,
        metadata={
            "help": "time limit for each query, in milliseconds: hits that are not scored in time stay below the "
            "others, in their order; such runs are not reproducible (default: no limit)"
        },
    )
    progress: bool = field(default=False, metadata={"changes_result": False})
    margin: float | None = field(
        default=None,
        metadata={
            "help": "rescore only the hits whose first-stage score is at most this much below that of the first hit "
            "(default: all hits to the depth)"
        },
    )

    @classmethod
    def checked(cls, config: "RerankConfig | None") -> "RerankConfig":
        """The configuration that a caller gave; the default for None.

        Raises:
            QPeftError: It is something else, such as a dict.
        """
        if config is not None and not isinstance(config, cls):
            raise QPeftError(f"config must be a RerankConfig, not {config!r:.60}.")
        return config or cls()

    def for_model(self, model: str | None) -> "RerankConfig":
        """The same settings, with the fusion weight that comes with a model if the weight was left open.

        Args:
            model: The model's name, hub id or folder; None is the shipped model.
        """
        return self if self.fusion is None else replace(self, fusion=self.fusion.for_model(model))

    def rescored(self, scores: Sequence[float]) -> int:
        """How many of a query's first hits are rescored.

        Args:
            scores: Their first-stage scores.
        """
        count = len(scores) if self.depth is None else min(self.depth, len(scores))
        if self.margin is None or not all(map(math.isfinite, scores[:count])):
            return count
        return next((place for place in range(count) if scores[place] < scores[0] - self.margin), count)

    def __post_init__(self) -> None:
        self._check_types()
        if self.margin is not None and not self.margin >= 0:
            raise QPeftError(f"margin must not be negative, and is {self.margin}.")
        if self.milliseconds is not None and not self.milliseconds > 0:
            raise QPeftError(f"milliseconds must be above 0, and is {self.milliseconds}.")
        if self.below_depth not in BELOW_DEPTH:
            raise QPeftError(f"below_depth must be {' or '.join(BELOW_DEPTH)}, not {self.below_depth!r}.")
        if self.windows is not None and self.scoring.passage_tokens is not None:
            self.windows.check_size(self.scoring.passage_tokens)
        if self.minimum_probability is not None and not 0 <= self.minimum_probability <= 1:
            raise QPeftError(f"minimum_probability must be between 0 and 1, and is {self.minimum_probability}.")

    def _check_types(self) -> None:
        kinds = {"fusion": FusionConfig, "calibration": Calibration, "scoring": ScoringConfig, "windows": WindowConfig}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise QPeftError(f"{name} must be a {kind.__name__}, not {value!r:.60}.")
        check_whole(self.depth, "depth", 0)
        for name in ("margin", "milliseconds", "minimum_probability"):
            check_number(getattr(self, name), name)
