"""The examples of a training run."""

import logging
from collections.abc import Sequence

from pyserini_qpeft.data.dpr import read_examples
from pyserini_qpeft.data.examples import TrainingExample, overlap
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.training.config import TrainConfig
from pyserini_qpeft.training.losses.compute import learns_from_negatives, learns_without_negatives
from pyserini_qpeft.training.sampling import draw

logger = logging.getLogger(__name__)


def read_training_examples(config: TrainConfig) -> tuple[list[TrainingExample], list[TrainingExample]]:
    """The examples to train on and those of dev, as many as the settings ask for. Warns if they overlap.

    Raises:
        QPeftError: A file cannot be read.
    """
    examples, _ = read_examples(config.train)
    examples = draw(examples, config.sampling.max_queries, config.seed)
    if not config.dev:
        return examples, []
    dev, _ = read_examples(config.dev)
    dev = draw(dev, config.sampling.dev_queries, seed=0)
    shared = overlap(dev, examples)
    if shared.queries or shared.passages:
        logger.warning(
            "dev overlaps train: %d of %d dev queries and %d positive passages of dev are also in train, so the dev "
            "figures are too high",
            shared.queries,
            len(dev),
            shared.passages,
        )
    return examples, dev


def check_negatives(examples: Sequence[TrainingExample], config: TrainConfig) -> None:
    """Looks for queries from which the loss cannot learn, because they have no negatives.

    Raises:
        QPeftError: No query has negatives, and the loss has no gradient without them.
    """
    if config.sampling.in_batch > 1 or not learns_from_negatives(config.loss):
        return
    without = sum(not (example.negatives and config.sampling.negatives) for example in examples)
    advice = "use the passages of other queries (--in-batch 2 or more), or find hard negatives with qpeft mine"
    if without == len(examples) and not learns_without_negatives(config.loss):
        raise QPeftError(f"no training query has a negative, and the loss {config.loss.loss} needs them: {advice}.")
    if without:
        logger.warning("%d of %d training queries have no negative: %s", without, len(examples), advice)
