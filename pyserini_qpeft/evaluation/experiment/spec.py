"""What an experiment compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pyserini_qpeft.evaluation.measures import DEFAULT_MEASURES
from pyserini_qpeft.reranking.fusion import FusionMethod

Options = Mapping[str, Any]
"""Options of a verb without their dashes; a path in them is a `Path`."""

Fusion = Literal["none", "dev"] | float
"""No fusion, the weight that is best on the dev queries, or this weight."""

Expected = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Value by row, column and measure."""

FIRST_STAGE = "first stage"
"""The row of hits as they are before reranking."""


@dataclass(frozen=True, slots=True)
class FirstStage:
    """Where first-stage hits come from: a stored run, or a search of the collection's index with `options`."""

    name: str
    run: Path | None = None
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collection:
    """Judged queries over a BEIR folder.

    Attributes:
        name: as in the table.
        folder: BEIR folder.
        split: whose judgements count.
        queries: how many judged queries, spread evenly over the file; None is all.
        first_stages: each makes a column.
        dev: what fusion weights are chosen on.
    """

    name: str
    folder: Path
    split: str
    queries: int | None
    first_stages: tuple[FirstStage, ...]
    dev: "Collection | None" = None


@dataclass(frozen=True, slots=True)
class Examples:
    """Questions with passages that `qpeft mine` makes of a BEIR folder, BM25 finding the negatives.

    Attributes:
        name: what `train` calls them by.
        folder: BEIR folder.
        options: of `qpeft mine`.
    """

    name: str
    folder: Path
    options: Options


@dataclass(frozen=True, slots=True)
class Variant:
    """A model with an adapter, for one seed.

    Attributes:
        seed: None where nothing depends on it.
        options: of `qpeft rerank`.
        train: options of `qpeft train` where the adapter is trained first; the name of mined examples stands for
            their file.
    """

    seed: int | None
    options: Options
    train: Options | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A model with an adapter, for each seed that it depends on; its name is `model/adapter`."""

    name: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything that an experiment compares.

    Attributes:
        name: title of the table.
        collections: each with its first stages.
        adapters: each with its model.
        examples: what adapters are trained on, by name.
        depths: numbers of hits rescored.
        fusions: how the first stage is mixed in, each a row of its own.
        method: method of fusion.
        hits: hits of the first stage.
        measures: the first is what weights are chosen by.
        answer_cutoffs: the k of R@k and H@k, where the queries have answers.
        comparisons: pairs of rows held against each other, the second the baseline of the first.
        expected: scores that a run of this file should give.
        tolerance: how far a score may be from what is expected.
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
        """The rows of the table, in their order."""
        reranked = [
            row_name(adapter, depth, fusion)
            for adapter in self.adapters
            for depth in self.depths
            for fusion in self.fusions
        ]
        return [FIRST_STAGE, *reranked]


def row_name(adapter: Adapter, depth: int, fusion: Fusion) -> str:
    """How a row is called, in the table, under `comparisons` and under `expected`."""
    fused = {"none": "", "dev": ", fused (dev)"}.get(fusion) if isinstance(fusion, str) else f", fused ({fusion:g})"
    return f"{adapter.name}, depth {depth}{fused}"
