"""What the scoring process does: the models by name over one base model, likelihoods, and explanations."""

import copy
import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.scoring.config import ScoringConfig

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


_TURNS_BETWEEN_TRIMS = 100
_PRIORS = 10_000
"""Likelihoods of queries without a passage that are kept, because a request is scored in several turns."""


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
        probabilities: Calibrated probability of relevance of each pair; None if the model has no calibration.
    """

    scores: list[float]
    tokens: list[int]
    cut: list[bool]
    probabilities: list[float] | None = None


class Scoring:
    """The models of one base model. Each adapter sits on modules of its own; the weights of the base model are shared.

    Args:
        settings: What is loaded.
    """

    def __init__(self, settings: ScoringSettings) -> None:
        from transformers.utils import logging

        from pyserini_qpeft.calibration.calibration_file import calibration_of
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
        self._priors: dict[tuple[str, str], float] = {}
        for name, folder in folders.items():
            model = bare if folder is None else with_adapter(_same_weights(bare, folder), folder)
            frozen = model.requires_grad_(False).eval()
            # Adapters that leave the reading of passages as it is share one passage cache.
            others = list(self._scorers.values())
            self._scorers[name] = LikelihoodScorer(frozen, tokenizer, settings.scoring, others=others)
        self._calibrations = {name: calibration_of(scorer.model) for name, scorer in self._scorers.items()}
        scorer = next(iter(self._scorers.values()))
        weights = {id(weight): weight for one in self._scorers.values() for weight in one.model.parameters()}
        self.info = ScoringInfo(
            batch_tokens=scorer.row_scorer.budget.tokens,
            passage_tokens=scorer.encoder.passage_tokens,
            device=str(scorer.device),
            dtype=str(bare.dtype).removeprefix("torch."),
            parameters=sum(weight.numel() for weight in weights.values()),
        )
        self._turns = 0
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
        scores = [float(score) for score in scorer.score(sequences)]
        self._turns += 1
        if self._turns % _TURNS_BETWEEN_TRIMS == 0:
            _return_free_memory()
        return Scored(
            scores=scores,
            tokens=[len(sequence) for sequence in sequences],
            cut=[
                sequence.tokens_cut > 0 or seen is not given
                for sequence, seen, given in zip(sequences, (p[1] for p in read), (p[1] for p in pairs), strict=True)
            ],
            probabilities=self._probabilities(model, [query for query, _ in pairs], scores),
        )

    def _probabilities(self, model: str, queries: Sequence[str], scores: list[float]) -> list[float] | None:
        calibration = self._calibrations[model]
        if calibration is None:
            return None
        scorer, priors = self._scorers[model], self._priors
        new = [query for query in dict.fromkeys(queries) if (model, query) not in priors]
        if len(priors) + len(new) > _PRIORS:
            priors.clear()
            new = list(dict.fromkeys(queries))
        if new:
            found = scorer.score(scorer.sequences([(query, "") for query in new]))
            priors.update({(model, query): float(prior) for query, prior in zip(new, found, strict=True)})
        prior = [priors[model, query] for query in queries]
        return [float(one) for one in calibration.probabilities(scores, prior)]

    def explain(self, model: str, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""
        from pyserini_qpeft.reranking.explanation import explain

        return explain(self._scorers[model], query, text)


def _return_free_memory() -> None:
    """Give free memory back to the system, if the C library can (glibc).

    Compiled shapes stay in memory between the tensors of many batches, and the gaps would keep growing.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _same_weights(model: Any, folder: Path) -> Any:
    """A copy of a model's modules around the same weights, so that an adapter changes the copy alone.

    Weights of the model that are in the adapter's files, such as biases that were trained with a LoRA, are copied too:
    loading the adapter writes over them.
    """
    from pyserini_qpeft.models.adapters import base_weights_in

    replaced = base_weights_in(folder)
    own = {id(weight) for name, weight in model.named_parameters(remove_duplicate=False) if name in replaced}
    weights = [weight for weight in (*model.parameters(), *model.buffers()) if id(weight) not in own]
    return copy.deepcopy(model, {id(weight): weight for weight in weights})


def _cut(scorer: Any, text: str, tokens: int) -> str:
    """The first tokens of a text; the same object if it has no more."""
    encoded = scorer.encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = [end for _, end in encoded["offset_mapping"]]
    return text if len(ends) <= tokens else text[: ends[tokens - 1]]
