"""The parts of an experiment, as dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES
from pyserini_qpeft.reranking.fusion import FusionMethod

Options = Mapping[str, Any]
"""Options of a command without their dashes; a path in them is a `Path`."""

Fusion = Literal["none", "dev", "model"] | float
"""No fusion, the weight that is best on the dev queries, the weight that comes with the model, or a weight."""

Expected = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Expected values by row, column and measure."""

FIRST_STAGE = "first stage"
"""The row of the hits before reranking."""


@dataclass(frozen=True, slots=True)
class FirstStage:
    """A first stage: a stored run, or a search of the collection's index with the options of `qpeft search`."""

    name: str
    run: Path | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collection:
    """Judged queries over a BEIR folder.

    Attributes:
        name: Name in the table.
        folder: BEIR folder.
        split: The split whose qrels are used.
        queries: Number of judged queries, spread evenly over the file; None is all.
        first_stages: First stages; each becomes a column.
        dev: The queries on which fusion weights are chosen.
    """

    name: str
    folder: Path
    split: str
    queries: int | None
    first_stages: tuple[FirstStage, ...]
    dev: "Collection | None" = None


@dataclass(frozen=True, slots=True)
class Examples:
    """Training examples that `qpeft mine` writes from a BEIR folder, with negatives from BM25.

    Attributes:
        name: Their name in `train`.
        folder: BEIR folder.
        options: Options of `qpeft mine`.
    """

    name: str
    folder: Path
    options: Options


@dataclass(frozen=True, slots=True)
class Variant:
    """A model with an adapter, for one seed.

    Attributes:
        seed: The seed; None if the result does not depend on one.
        options: Options of `qpeft rerank`.
        train: Options of `qpeft train` if the adapter is trained first; mined examples are given by name.
    """

    seed: int | None
    options: Options
    train: Options | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A model with an adapter, for each seed; its name is `model/adapter`."""

    name: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment.

    Attributes:
        name: Title of the table.
        collections: Collections, each with its first stages.
        adapters: Adapters, each with its model.
        examples: Training examples by name.
        depths: Numbers of hits that are rescored; each is a row.
        fusions: No fusion, or fusion weights; each is a row.
        method: Fusion method.
        hits: Hits per query of the first stage.
        measures: Measures; weights are chosen by the first.
        answer_cutoffs: The values of k of R@k and H@k, for queries with answers.
        comparisons: Pairs of rows that are compared; the second row is the baseline.
        expected: Scores that a run of this file should give.
        tolerance: Largest allowed difference from an expected score.
    """

    name: str
    collections: tuple[Collection, ...]
    adapters: tuple[Adapter, ...]
    examples: Mapping[str, Examples] = field(default_factory=dict)
    depths: tuple[int, ...] = (100,)
    fusions: tuple[Fusion, ...] = ("none",)
    method: FusionMethod = "zscore"
    hits: int = 100
    measures: tuple[str, ...] = DEFAULT_MEASURES
    answer_cutoffs: tuple[int, ...] = ()
    comparisons: tuple[tuple[str, str], ...] = ()
    expected: Expected = field(default_factory=dict)
    tolerance: float = 0.0001

    @property
    def rows(self) -> list[str]:
        """The rows of the table, in order."""
        reranked = [
            row_name(adapter, depth, fusion)
            for adapter in self.adapters
            for depth in self.depths
            for fusion in self.fusions
        ]
        return [FIRST_STAGE, *reranked]


def row_name(adapter: Adapter, depth: int, fusion: Fusion) -> str:
    """Return the name of a row in the table, under `comparisons` and under `expected`."""
    names = {"none": "", "dev": ", fused (dev)", "model": ", fused"}
    fused = names[fusion] if isinstance(fusion, str) else f", fused ({fusion:g})"
    return f"{adapter.name}, depth {depth}{fused}"
