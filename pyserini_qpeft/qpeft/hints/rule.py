"""The base class of hint rules: which tokens a rule looks at, how many hints a pair gets, and their vectors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pyserini_qpeft.qpeft.hints.settings import HintSettings, TokenIds

if TYPE_CHECKING:
    from pyserini_qpeft.qpeft.hints.selection import HintSelector

Array = npt.NDArray[np.generic]

NO_TOKENS: TokenIds = np.zeros(0, dtype=np.int64)
NO_SIMILARITIES: npt.NDArray[np.float32] = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PassageHints:
    """What hints can be made from in one passage. It is found once and used for all queries of the passage.

    Attributes:
        candidates: Token ids that may become hints, each once, in the order of the passage.
        attended: The passage's tokens that take part in attention, repetitions included.
    """

    candidates: TokenIds = field(default_factory=lambda: NO_TOKENS)
    attended: TokenIds = field(default_factory=lambda: NO_TOKENS)


@dataclass(frozen=True, slots=True, eq=False)
class PairHints:
    """The hints of one pair of query and passage.

    Attributes:
        count: How many hint vectors stand in the prompt.
        ids: The hint tokens, if each hint is one token of the passage; else empty.
        similarities: Their cosines with the nearest query token, float32 of the same shape.
    """

    count: int = 0
    ids: TokenIds = field(default_factory=lambda: NO_TOKENS)
    similarities: npt.NDArray[np.float32] = field(default_factory=lambda: NO_SIMILARITIES)


class HintedPair(Protocol):
    """The parts of a sequence from which a rule makes its inputs."""

    @property
    def query(self) -> TokenIds:
        """The query's own token ids."""

    @property
    def attended(self) -> TokenIds:
        """`PassageHints.attended` of the passage."""

    @property
    def hint_ids(self) -> TokenIds:
        """`PairHints.ids` of the pair."""

    @property
    def hint_similarities(self) -> npt.NDArray[np.float32]:
        """`PairHints.similarities` of the pair."""


class HintRule(ABC):
    """How hints are made from a query and a passage.

    The methods without torch choose tokens while sequences are built. The methods with torch make vectors from them in
    the forward pass. Names of modules that `add_modules` puts on the prompt become names of weights in adapter files.

    Args:
        settings: The adapter's `QPeftConfig`; None only for the rule without hints.

    Attributes:
        title: The rule's name in model cards.
        has_hints: Whether the prompt has hints at all.
        hints_are_tokens: Whether each hint is one token of the passage. Such hints can be shown, and drawn at random.
        own_settings: Settings that only this rule has, with their default values; `setting` returns their values. A
            rule that extends another one has those of the other one too.
    """

    title: ClassVar[str]
    has_hints: ClassVar[bool] = True
    hints_are_tokens: ClassVar[bool] = False
    own_settings: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        inherited = [base.own_settings for base in reversed(cls.__mro__) if issubclass(base, HintRule)]
        cls.own_settings = {name: value for settings in inherited for name, value in settings.items()}

    def __init__(self, settings: HintSettings | None) -> None:
        self._settings = settings

    @property
    def settings(self) -> HintSettings:
        """The adapter's settings."""
        assert self._settings is not None
        return self._settings

    def setting(self, name: str) -> Any:
        """The value of one of `own_settings`: the adapter's, or else the default."""
        return self.settings.hint_settings.get(name, self.own_settings[name])

    @abstractmethod
    def most(self, query: TokenIds) -> int:
        """The largest number of hints that a pair with this query can have.

        Args:
            query: The query's own token ids, shape `[n]`.
        """

    def in_passage(self, tokens: TokenIds, selector: "HintSelector") -> PassageHints:
        """Finds what hints can be made from in a passage.

        Args:
            tokens: The passage's own token ids, shape `[p]`.
            selector: Knows the filters and the similarities of tokens.
        """
        return PassageHints(candidates=selector.candidates(tokens))

    @abstractmethod
    def for_pair(self, query: TokenIds, passage: PassageHints, selector: "HintSelector") -> PairHints:
        """Chooses the hints of one pair.

        Args:
            query: The query's own token ids, shape `[n]`.
            passage: What `in_passage` found.
            selector: As for `in_passage`.
        """

    def at_random(self, query: TokenIds, passage: PassageHints, selector: "HintSelector") -> PairHints:
        """Draws hints from the candidates by chance, the same ones for the same pair; for `hints_are_tokens` only."""
        generator = np.random.default_rng([*query, *passage.candidates])
        drawn = generator.permutation(passage.candidates)[: self.most(query)]
        return PairHints(len(drawn), drawn, selector.similarities(query)[drawn])

    @abstractmethod
    def inputs(self, pairs: Sequence[HintedPair]) -> dict[str, list[Array]]:
        """The inputs of `vectors` for the pairs of a batch.

        Returns:
            Name to one array for each pair: token ids, or booleans for a mask. Shorter ones are padded on the right.
        """

    @abstractmethod
    def width(self, inputs: Mapping[str, Array]) -> int:
        """How many vectors `vectors` returns for each pair, given the padded inputs `[pairs, …]`."""

    def add_modules(self, prompt: Any, embeddings: nn.Module) -> None:  # noqa: B027 (most rules add nothing)
        """Puts the rule's own trained modules on the prompt, as attributes.

        Args:
            prompt: The `QueryDependentPrompt`; it has `mlp` and the embedding table already.
            embeddings: The base model's input embeddings.
        """

    @abstractmethod
    def vectors(self, prompt: Any, inputs: Mapping[str, torch.Tensor], embeddings: nn.Module) -> torch.Tensor:
        """The hint vectors of a batch.

        Args:
            prompt: The `QueryDependentPrompt`, with the modules that `add_modules` put on it.
            inputs: The padded inputs, int64 or bool `[pairs, …]`.
            embeddings: The base model's input embeddings.

        Returns:
            float32 `[pairs, hints, width of the model]`.
        """
