"""Training: `qpeft train` on the same examples, for hints retrieved and hints attended."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal

from benchmarks.context import Context
from benchmarks.sizes import SIZES, ModelFolders
from benchmarks.texts import DEPTH
from benchmarks.turns import Spread, Turn, ratio
from pyserini_qpeft.training.config import AdapterConfig, OptimizationConfig, SamplingConfig, TrainConfig
from pyserini_qpeft.training.dpr import write_examples
from pyserini_qpeft.training.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.training.run import train

VARIANTS: tuple[Literal["retrieval", "attention"], ...] = ("retrieval", "attention")
_PASSAGES = 4  # of a query: one that answers it and three that do not
_BATCH_QUERIES = 16


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Training of one kind of adapter.

    Attributes:
        size: The model.
        dtype: The base's dtype.
        variant: Where hints come from.
        pairs: Pairs of a turn, one epoch over its queries.
        steps: Optimizer steps of a turn.
        pairs_per_second: Median over turns; forward, backward, optimizer and checkpoint.
        times_as_long: How many times as long as retrieval's its turns took, round by round.
    """

    size: str
    dtype: str
    variant: str
    pairs: int
    steps: int
    pairs_per_second: float
    times_as_long: Spread


def measure(context: Context) -> list[TrainingRow]:
    """Trains the small model in the last of the dtypes, the variants in turn."""
    options = context.options
    dtype = options.dtypes[-1]
    place = ModelFolders(SIZES[options.small_model], dtype, options.device, context.work)
    file = context.work / "training.json"
    write_examples(file, _examples(context, max(_BATCH_QUERIES, options.training_pairs // _PASSAGES)))
    turns: dict[str, list[Turn]] = {variant: [] for variant in VARIANTS}
    steps = 0
    for number in range(1, options.rounds + 1):
        for variant in VARIANTS:
            seconds, steps = _trained(place, variant, file, options.passage_tokens)
            context.tell(f"training: round {number} of {options.rounds}: {variant} took {seconds:.2f} s")
            turns[variant].append(Turn(seconds, 0.0))
    pairs = steps * _BATCH_QUERIES * _PASSAGES
    return [
        TrainingRow(
            options.small_model,
            dtype,
            variant,
            pairs=pairs,
            steps=steps,
            pairs_per_second=pairs / median(turn.seconds for turn in turns[variant]),
            times_as_long=ratio(turns[variant], turns[VARIANTS[0]]),
        )
        for variant in VARIANTS
    ]


def _trained(
    place: ModelFolders,
    variant: Literal["retrieval", "attention"],
    file: Path,
    passage_tokens: int,
) -> tuple[float, int]:
    """Seconds and steps of one epoch; loading of the model does not count."""
    with TemporaryDirectory() as folder:
        record = train(
            TrainConfig(
                train=(file,),
                output=Path(folder, "adapter"),
                model=str(place.causal()),
                device=place.device.partition(":")[0],
                dtype=place.dtype,
                adapter=AdapterConfig(variant=variant),
                sampling=SamplingConfig(negatives=_PASSAGES - 1, passage_tokens=passage_tokens),
                optimization=OptimizationConfig(epochs=1, batch_queries=_BATCH_QUERIES),
                progress=False,
            )
        )
    assert record is not None
    return record.seconds, record.steps


def _examples(context: Context, count: int) -> list[TrainingExample]:
    """So many queries, each with the first passages of its list; more queries than there are take the next ones."""
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
