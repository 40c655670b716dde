"""All settings of the recipe, as frozen dataclasses read from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import yaml

SETTINGS = Path(__file__).with_name("settings.yaml")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the Llama."""

    vocabulary: int = 8192
    width: int = 256
    layers: int = 6
    heads: int = 8
    key_value_heads: int = 4
    intermediate: int = 768
    positions: int = 512


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """Muon for the matrices of the body, AdamW for embeddings and norms, warm-up and cosine decay for both."""

    steps: int = 2000
    learning_rate: float = 2e-3
    embedding_learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.02
    floor: float = 0.02
    clip: float = 1.0
    checkpoint_minutes: float = 2.0
    log_every: int = 20


@dataclass(frozen=True, slots=True)
class PlainConfig:
    """Running text: characters of each source (a source that is not named is not read), and how text is cut."""

    characters: dict[str, int] = field(default_factory=dict)
    tokenizer_characters: int = 12_000_000
    window: int = 256
    batch: int = 16
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, slots=True)
class PairsConfig:
    """Groups of similar passages, each passage with queries.

    Attributes:
        passages: Number of passages of each source.
        real: Use only passages with real questions, uncut; a generated query is added if a passage has one question.
        group: Passages in a group.
        queries: Largest number of queries of a passage.
        passage_tokens: Numbers of tokens that passages are cut to; one is drawn for each group.
        batch_tokens: Tokens per batch, padding included.
    """

    passages: dict[str, int] = field(default_factory=dict)
    real: bool = False
    group: int = 4
    queries: int = 8
    passage_tokens: tuple[int, ...] = (96, 160, 240, 352)
    batch_tokens: int = 8192


@dataclass(frozen=True, slots=True)
class LessonConfig:
    """A part of the second training.

    Attributes:
        own: Queries of a passage that it is trained on.
        contrast: Weight of the softmax loss over the passages of a group; with 0 a row has queries of its passage only.
        contrast_scale: Factor of mean log-likelihoods in the softmax over the group.
        optimizer: Steps and learning rates.
    """

    own: int = 8
    contrast: float = 0.0
    contrast_scale: float = 8.0
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


@dataclass(frozen=True, slots=True)
class RecipeConfig:
    """The whole recipe."""

    seed: int = 1
    model: ModelConfig = field(default_factory=ModelConfig)
    plain: PlainConfig = field(default_factory=PlainConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    copying: LessonConfig = field(default_factory=LessonConfig)
    ranking: LessonConfig = field(default_factory=LessonConfig)
    questions: PairsConfig = field(default_factory=PairsConfig)
    answering: LessonConfig = field(default_factory=LessonConfig)

    @classmethod
    def read(cls, path: Path = SETTINGS) -> Self:
        """Reads the YAML file at `path`; an unknown key raises a ValueError."""
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        built: Self = _build(cls, values)
        return built


_NESTED = {
    "model": ModelConfig,
    "plain": PlainConfig,
    "pairs": PairsConfig,
    "copying": LessonConfig,
    "ranking": LessonConfig,
    "questions": PairsConfig,
    "answering": LessonConfig,
    "optimizer": OptimizerConfig,
}


def _build(kind: Any, values: dict[str, Any]) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    built: dict[str, Any] = {}
    for name, value in values.items():
        if name in _NESTED:
            built[name] = _build(_NESTED[name], value)
        else:
            built[name] = tuple(value) if isinstance(value, list) else value
    return kind(**built)
