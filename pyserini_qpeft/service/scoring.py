"""What the scoring process does: the models by name over one base model, likelihoods, and explanations."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """What the process loads.

    Attributes:
        model: The base model.
        scoring: How pairs are scored.
        adapters: The adapter of each model, by the model's name in requests; see `ModelConfig.adapter`.
    """

    model: ModelConfig
    scoring: ScoringConfig
    adapters: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class ScoringInfo:
    """What the process says of its models.

    Attributes:
        batch_tokens: Tokens in a batch of the model.
        passage_tokens: Tokens of a passage that are read.
        device: The device.
        dtype: The dtype of the weights.
        parameters: Number of weights in memory, each counted once.
    """

    batch_tokens: int
    passage_tokens: int
    device: str
    dtype: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Scored:
    """Likelihoods of pairs, in their order.

    Attributes:
        scores: Mean natural-log probability of the query's tokens.
        tokens: Tokens of each pair's prompt.
        cut: Whether the passage of each pair was cut.
    """

    scores: list[float]
    tokens: list[int]
    cut: list[bool]


class Scoring:
    """The models of one base model. Each adapter sits on modules of its own; the weights of the base model are shared.

    Args:
        settings: What is loaded.
    """

    def __init__(self, settings: ScoringSettings) -> None:
        from transformers.utils import logging

        from pyserini_qpeft.models.adapters import adapter_folder, with_adapter
        from pyserini_qpeft.models.config import NO_ADAPTER
        from pyserini_qpeft.models.loading import load_model
        from pyserini_qpeft.models.source import find_source
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        logging.disable_progress_bar()
        source = find_source(settings.model.model)
        folders = {name: adapter_folder(adapter, source) for name, adapter in settings.adapters.items()}
        bare, tokenizer = load_model(replace(settings.model, adapter=NO_ADAPTER))
        self._scorers: dict[str, LikelihoodScorer] = {}
        for name, folder in folders.items():
            model = bare if folder is None else with_adapter(_same_weights(bare), folder)
            frozen = model.requires_grad_(False).eval()
            # Adapters that leave the reading of passages as it is share one passage cache.
            others = list(self._scorers.values())
            self._scorers[name] = LikelihoodScorer(frozen, tokenizer, settings.scoring, others=others)
        scorer = next(iter(self._scorers.values()))
        weights = {id(weight): weight for one in self._scorers.values() for weight in one.model.parameters()}
        self.info = ScoringInfo(
            batch_tokens=scorer.row_scorer.budget.tokens,
            passage_tokens=scorer.encoder.passage_tokens,
            device=str(scorer.device),
            dtype=str(bare.dtype).removeprefix("torch."),
            parameters=sum(weight.numel() for weight in weights.values()),
        )
        for warmed in self._scorers.values():
            # The first pass through a model is slow.
            warmed.score(warmed.sequences([("a question", "a passage")]))

    def score(self, model: str, pairs: Sequence[tuple[str, str]], text_tokens: Sequence[int | None]) -> Scored:
        """Likelihoods of pairs.

        Args:
            model: Name of the model.
            pairs: (query, passage) texts.
            text_tokens: For each pair, the most tokens of its passage that are read; None is the model's own limit.
        """
        scorer = self._scorers[model]
        read = [
            pair if most is None or most >= self.info.passage_tokens else (pair[0], _cut(scorer, pair[1], most))
            for pair, most in zip(pairs, text_tokens, strict=True)
        ]
        sequences = scorer.sequences(read)
        return Scored(
            scores=[float(score) for score in scorer.score(sequences)],
            tokens=[len(sequence) for sequence in sequences],
            cut=[
                sequence.tokens_cut > 0 or seen is not given
                for sequence, seen, given in zip(sequences, (p[1] for p in read), (p[1] for p in pairs), strict=True)
            ],
        )

    def explain(self, model: str, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""
        from pyserini_qpeft.reranking.explanation import explain

        return explain(self._scorers[model], query, text)


def _same_weights(model: Any) -> Any:
    """A copy of a model's modules around the same weights, so that an adapter changes the copy alone."""
    weights = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(weight): weight for weight in weights})


def _cut(scorer: Any, text: str, tokens: int) -> str:
    """The first tokens of a text; the same object if it has no more."""
    encoded = scorer.encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = [end for _, end in encoded["offset_mapping"]]
    return text if len(ends) <= tokens else text[: ends[tokens - 1]]
