"""The settings of the service: what it serves, and how much."""

from dataclasses import dataclass, field

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig


@dataclass(frozen=True)
class ServiceConfig:
    """What the service serves.

    Attributes:
        model: The base model and its default adapter. It is served under the model's name.
        scoring: How pairs are scored.
        adapters: Further models over the same base model: `NAME=ADAPTER`, where ADAPTER is a hub id, a folder, the name
            of one of the base model's adapters, or `none` for the bare model. A bare ADAPTER is served under its own
            name.
        index: Lucene indexes for search: a folder or a prebuilt name, or `NAME=FOLDER`. The name of a folder is its
            last part.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    adapters: tuple[str, ...] = field(
        default=(), metadata={"help": "further adapters of the model, each served as a model of its own: NAME=ADAPTER"}
    )
    index: tuple[str, ...] = field(
        default=(), metadata={"help": "Lucene indexes to search: folders, prebuilt names, or NAME=FOLDER"}
    )
