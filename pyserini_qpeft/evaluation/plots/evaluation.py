"""The input of all plots."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyserini_qpeft.data.records import Qrels
from pyserini_qpeft.evaluation.comparison import Comparison
from pyserini_qpeft.evaluation.sweep import TwoStageRun, judged_only
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.fusion import FusionConfig


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Runs that have been measured.

    Attributes:
        comparison: The measures of the runs, and their differences from the baseline.
        two_stages: The runs that have the scores of both stages, by name.
        qrels: The qrels.
        chosen: Depth and fusion that were chosen on dev queries, or None.
    """

    comparison: Comparison
    two_stages: Mapping[str, TwoStageRun] = field(default_factory=dict)
    qrels: Qrels = field(default_factory=dict)
    chosen: RerankConfig | None = None

    @property
    def measure(self) -> str:
        """The measure that is plotted: the first."""
        return self.comparison.measures[0]

    @property
    def others(self) -> list[str]:
        """The runs that are compared with the baseline."""
        return [name for name in self.comparison.scores if name != self.comparison.baseline]

    @property
    def judged(self) -> dict[str, TwoStageRun]:
        """`two_stages` with judged queries only."""
        return {name: judged_only(run, self.qrels) for name, run in self.two_stages.items()}

    @property
    def fusion(self) -> FusionConfig:
        """The chosen fusion, or else the default with the weight of the shipped model."""
        chosen = self.chosen.fusion if self.chosen is not None else None
        return (chosen or FusionConfig()).for_model(None)
