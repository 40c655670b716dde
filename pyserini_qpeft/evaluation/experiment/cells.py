"""The cells of an experiment: hits are scored once at the greatest depth, and ranked for each depth and fusion."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyserini_qpeft.data.beir import BeirFolder
from pyserini_qpeft.data.ranked_lists import read_ranked_lists
from pyserini_qpeft.data.records import Run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.answers import score_answers
from pyserini_qpeft.evaluation.experiment.inputs import CollectionInputs, FirstStageRun, first_stage_run, mining_steps
from pyserini_qpeft.evaluation.experiment.spec import (
    FIRST_STAGE,
    Adapter,
    Collection,
    Experiment,
    FirstStage,
    Variant,
    row_name,
)
from pyserini_qpeft.evaluation.experiment.steps import RunCommand, Step, command_line, slug
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.evaluation.sweep import TwoStageRun, from_ranked_lists, rank
from pyserini_qpeft.reranking.config_file import read_rerank_config
from pyserini_qpeft.reranking.fusion import FusionConfig

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Cell:
    """The result of one row in one column, for one seed.

    Attributes:
        row: `first stage`, or model, adapter, depth and fusion.
        column: Collection and first stage.
        seed: The seed; None if the result does not depend on one.
        scores: Float64 frame, qids by measures.
        commands: The commands that compute this cell, in order.
    """

    row: str
    column: str
    seed: int | None
    scores: "pd.DataFrame"
    commands: tuple[str, ...]


@dataclass(frozen=True)
class _Column:
    """A collection with one of its first stages, and the hits of that first stage."""

    inputs: CollectionInputs
    stage: FirstStage
    first: FirstStageRun

    @property
    def name(self) -> str:
        return f"{self.inputs.collection.name} / {self.stage.name}"

    @cached_property
    def text_of(self) -> Callable[[str], str | None]:
        return self.inputs.text_of(self.first.run)


@dataclass(frozen=True)
class ExperimentRunner:
    """Runs the commands whose output does not exist yet, and measures all runs.

    Attributes:
        experiment: The experiment.
        folder: Folder for all files that the experiment writes; they are kept.
        run_command: Runs a command of `qpeft`.
    """

    experiment: Experiment
    folder: Path
    run_command: RunCommand
    _columns: dict[tuple[str, str], _Column] = field(default_factory=dict)

    def cells(self) -> Iterator[Cell]:
        """Yield the cells, column by column."""
        for collection in self.experiment.collections:
            for stage in collection.first_stages:
                column = self._column(collection, stage)
                yield self._measured(FIRST_STAGE, column, None, column.first.run, column.first.steps, column.first.file)
                for adapter in self.experiment.adapters:
                    for variant in adapter.variants:
                        yield from self._reranked(column, adapter, variant)
                # Other columns have other passages, and key-values take megabytes each.
                shutil.rmtree(self._passages, ignore_errors=True)

    @property
    def _passages(self) -> Path:
        """The folder of stored passages, which the rows of a column share."""
        return self.folder / "passages"

    def _reranked(self, column: _Column, adapter: Adapter, variant: Variant) -> Iterator[Cell]:
        mined, training = self._training(adapter, variant)
        scores = self._scores(column, adapter, variant, training)
        for depth in self.experiment.depths:
            for fusion in self.experiment.fusions:
                row = row_name(adapter, depth, fusion)
                steps = [*column.first.steps, *mined, *([training] if training else [])]
                options: dict[str, object] = {"depth": depth, "fusion": "none"}
                chosen = None
                if fusion == "dev":
                    dev, tuning = self._tuning(column, adapter, variant, training, depth)
                    chosen = read_rerank_config(tuning.make(self.run_command)).fusion
                    steps += [*dev.first.steps, self._scoring(dev, adapter, variant, training), tuning]
                    options = {"config": tuning.output}
                elif fusion == "model":
                    model = variant.options.get("model")
                    chosen = FusionConfig(self.experiment.method).for_model(None if model is None else str(model))
                    options |= {"fusion": self.experiment.method}
                elif fusion != "none":
                    chosen = FusionConfig(self.experiment.method, float(fusion))
                    options |= {"fusion": self.experiment.method, "fusion-weight": float(fusion)}
                final = self._scoring(column, adapter, variant, training, options)
                run = rank(scores, depth, chosen)
                yield self._measured(row, column, variant.seed, run, [*steps, final], final.output)

    def _column(self, collection: Collection, stage: FirstStage) -> _Column:
        key = (collection.name, stage.name)
        if key not in self._columns:
            inputs = CollectionInputs(collection, self.folder / slug(collection.name))
            found = first_stage_run(inputs, stage, self.experiment.hits, self.run_command)
            self._columns[key] = _Column(inputs, stage, found)
        return self._columns[key]

    def _training(self, adapter: Adapter, variant: Variant) -> tuple[list[Step], Step | None]:
        """Return the commands that write the training examples, and the command that trains the adapter."""
        if variant.train is None:
            return [], None
        options = dict(variant.train)
        steps: dict[Path, Step] = {}
        for name in {"train", "dev"} & options.keys():
            files = []
            for one in options[name] if isinstance(options[name], list) else [options[name]]:
                if one in self.experiment.examples:
                    mined = mining_steps(self.experiment.examples[one], self.folder, self.run_command)
                    steps |= {made.output: made for made in mined}
                    one = mined[-1].output
                files.append(one)
            options[name] = files
        step = Step(
            "train",
            {"seed": variant.seed, "resume": True, **options},
            # The folder does not have the adapter's name in the table: several rows may use one trained adapter.
            self.folder / "adapters" / slug(str(options.get("variant", "adapter"))),
        )
        step.make(self.run_command)
        return list(steps.values()), step

    def _scoring(
        self,
        column: _Column,
        adapter: Adapter,
        variant: Variant,
        training: Step | None,
        options: dict[str, object] | None = None,
    ) -> Step:
        """Return the command that reranks a column, by default at the greatest depth and without fusion."""
        return Step(
            "rerank",
            {
                "run": column.first.file,
                "topics": column.inputs.topics_file,
                "corpus": BeirFolder(column.inputs.collection.folder).corpus,
                **variant.options,
                **({"passage-cache-folder": str(self._passages)} if _stores_passages(variant) else {}),
                **({"adapter": training.output} if training else {}),
                **(options or {"depth": max(self.experiment.depths), "fusion": "none"}),
                "output-format": "jsonl",
                "quiet": True,
            },
            column.inputs.folder / f"{slug(column.stage.name)}-{slug(adapter.name)}.jsonl",
        )

    def _scores(self, column: _Column, adapter: Adapter, variant: Variant, training: Step | None) -> TwoStageRun:
        step = self._scoring(column, adapter, variant, training)
        return from_ranked_lists(read_ranked_lists(step.make(self.run_command)))

    def _tuning(
        self, column: _Column, adapter: Adapter, variant: Variant, training: Step | None, depth: int
    ) -> tuple[_Column, Step]:
        """Return the dev queries, and the command that chooses the fusion weight on them."""
        collection = column.inputs.collection
        if collection.dev is None:
            raise QPeftError(f"collections: {collection.name} has no dev queries to choose the fusion weight on")
        stages = {stage.name: stage for stage in collection.dev.first_stages}
        if column.stage.name not in stages and len(stages) > 1:
            raise QPeftError(f"collections: {collection.name}: dev has no first stage {column.stage.name}")
        dev = self._column(collection.dev, stages.get(column.stage.name) or next(iter(stages.values())))
        options = {
            "run": self._scoring(dev, adapter, variant, training).make(self.run_command),
            "qrels": dev.inputs.qrels_file,
            "measure": self.experiment.measures[0],
            "method": self.experiment.method,
            "depths": depth,
        }
        return dev, Step("tune", options, dev.inputs.folder / f"{slug(dev.stage.name)}-{slug(adapter.name)}.json")

    def _measured(
        self, row: str, column: _Column, seed: int | None, run: Run, steps: Sequence[Step], output: Path
    ) -> Cell:
        inputs, measures = column.inputs, self.experiment.measures
        scores = score_queries(run, inputs.qrels, measures)
        evaluate = ["evaluate", str(output), "--qrels", str(inputs.qrels_file), "--measures", *measures]
        cutoffs = self.experiment.answer_cutoffs
        if cutoffs and inputs.answers:
            evaluate += ["--answers", str(inputs.queries_file), "--corpus", str(inputs.collection.folder)]
            evaluate += ["--answer-cutoffs", *map(str, cutoffs)]
            by_answers = score_answers(run, inputs.answers, column.text_of, cutoffs).drop(columns="in_list")
            scores = scores.join(by_answers.add_suffix(" (answers)"))
        return Cell(row, column.name, seed, scores, (*(step.command for step in steps), command_line(evaluate)))


def _stores_passages(variant: Variant) -> bool:
    """Return whether the passage cache is kept on disk for the following rows."""
    return bool(variant.options.get("passage-cache-bytes"))
