"""Speed of `qpeft train` with retrieved and attended hints, with and without the passage cache."""

from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal

from benchmarks.context import Context
from benchmarks.sizes import ModelFolders
from benchmarks.tables.row import HintsRow
from benchmarks.texts import DEPTH
from benchmarks.turns import Spread, Turn, ratio
from pyserini_qpeft.data.dpr import write_examples
from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.training.adapter_config import AdapterConfig
from pyserini_qpeft.training.card import TrainingRecord
from pyserini_qpeft.training.config import OptimizationConfig, SamplingConfig, TrainConfig
from pyserini_qpeft.training.run import train

Variant = Literal["retrieval", "attention"]
VARIANTS: tuple[Variant, ...] = ("retrieval", "attention")
_PASSAGES = 4  # per query: one positive and three negatives
_BATCH_QUERIES = 16
_CACHES = ("off", "on")
_EPOCHS = 2  # the second uses the passages that were cached in the first


@dataclass(frozen=True, slots=True)
class TrainingRow(HintsRow):
    """Training of one kind of adapter.

    Attributes:
        cache: Whether the passage cache is "on" (the default) or "off".
        pairs: Pairs per turn, over all epochs.
        steps: Optimizer steps per turn.
        pairs_per_second: Median over turns; forward, backward, optimizer and checkpoints included.
        times_as_fast: Speed divided by that of the same variant without the cache, round by round.
    """

    cache: str
    pairs: int
    steps: int
    pairs_per_second: float
    times_as_fast: Spread


def measure(context: Context) -> list[TrainingRow]:
    """Trains the small model in the last of the dtypes, with the variants in turn."""
    options = context.options
    place = context.small_model()
    file = context.work / "training.json"
    write_examples(file, _examples(context, max(_BATCH_QUERIES, options.training_pairs // _PASSAGES)))
    turns: dict[tuple[Variant, str], list[Turn]] = {key: [] for key in product(VARIANTS, _CACHES)}
    steps = 0
    for number in range(1, options.rounds + 1):
        for (variant, cache), taken in turns.items():
            record = _trained(place, variant, cache, file, options.passage_tokens)
            steps = record.steps
            context.log(
                f"training: round {number} of {options.rounds}: {variant}, cache {cache} took {record.seconds:.2f} s"
            )
            taken.append(Turn(record.seconds, 0.0))
    pairs = steps * _BATCH_QUERIES * _PASSAGES
    return [
        TrainingRow(
            place.size.name,
            place.dtype,
            variant,
            cache,
            pairs=pairs,
            steps=steps,
            pairs_per_second=pairs / median(turn.seconds for turn in taken),
            times_as_fast=ratio(turns[variant, "off"], taken),
        )
        for (variant, cache), taken in turns.items()
    ]


def _trained(place: ModelFolders, variant: Variant, cache: str, file: Path, passage_tokens: int) -> TrainingRecord:
    """Trains and returns the record; its seconds do not include loading the model."""
    optimization = OptimizationConfig(epochs=_EPOCHS, batch_queries=_BATCH_QUERIES)
    with TemporaryDirectory() as folder:
        record = train(
            TrainConfig(
                train=(file,),
                output=Path(folder, "adapter"),
                base=ModelConfig(model=str(place.causal()), device=place.device.partition(":")[0], dtype=place.dtype),
                adapter=AdapterConfig(variant=variant),
                sampling=SamplingConfig(negatives=_PASSAGES - 1, passage_tokens=passage_tokens),
                optimization=optimization if cache == "on" else replace(optimization, passage_cache_bytes=0),
                progress=False,
            )
        )
    assert record is not None
    return record


def _examples(context: Context, count: int) -> list[TrainingExample]:
    """Returns `count` examples: queries with the first passages of their lists, then with the next ones."""
    topics = context.texts.topics
    groups = (
        (topic.query, topic.passages[start : start + _PASSAGES])
        for start in range(0, DEPTH, _PASSAGES)
        for topic in topics
        if len(set(topic.passages[start : start + _PASSAGES])) == _PASSAGES
    )
    examples = []
    for number, (query, texts) in enumerate(islice(groups, count)):
        passages = tuple(TrainingPassage(f"{number}-{rank}", "", text, text) for rank, text in enumerate(texts))
        examples.append(TrainingExample(str(number), query, passages[:1], passages[1:]))
    return examples
