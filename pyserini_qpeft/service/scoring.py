"""What the scoring process does: the models by name, likelihoods, and explanations."""

import copy
import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyserini_qpeft.adaptive.rule import StoppingRule
from pyserini_qpeft.adaptive.rule_file import rule_of
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.config import NO_ADAPTER, ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.pair_scoring import ModelScoring, as_pair
from pyserini_qpeft.reranking.scored import Scored

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer

_TURNS_BETWEEN_TRIMS = 100
_PRIORS = 10_000
"""Likelihoods of queries without a passage that are kept, because a request is scored in several turns."""


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """What the process loads.

    Attributes:
        models: Base model and adapter of each model, by the name in requests.
        configs: How each of them reranks.
        rules: When reading stops, of the models with adaptive depth; None is the rule that comes with the model.
    """

    models: dict[str, ModelConfig]
    configs: dict[str, RerankConfig]
    rules: dict[str, StoppingRule | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the process says of one model.

    Attributes:
        batch_tokens: Tokens in a batch.
        text_tokens: The most tokens of a passage or document that are read; None is all.
        config: How it reranks, with the fusion weight and the calibration that come with the model.
        rule: When reading stops (adaptive depth); None reads all.
    """

    batch_tokens: int
    text_tokens: int | None
    config: RerankConfig
    rule: StoppingRule | None = None


@dataclass(frozen=True, slots=True)
class ScoringInfo:
    """What the process says of its models.

    Attributes:
        models: Each model, by name.
        parameters: Number of weights in memory, each counted once.
    """

    models: dict[str, ModelInfo]
    parameters: int


@dataclass(frozen=True, slots=True)
class TurnScores:
    """The scores of a turn.

    Attributes:
        scored: What was found about its pairs, in their order.
        priors: Likelihood of each query without a passage, of those that were asked for; empty without a calibration.
    """

    scored: Scored
    priors: dict[str, float]


class Scoring:
    """The models by name. Adapters of one base model share its weights; each sits on modules of its own.

    Args:
        settings: What is loaded.
    """

    def __init__(self, settings: ScoringSettings) -> None:
        from transformers.utils import logging

        from pyserini_qpeft.models.adapters import adapter_folder
        from pyserini_qpeft.models.source import find_source

        logging.disable_progress_bar()
        # What is not there is reported before torch is imported.
        sources = {name: find_source(name) for name in {model.model for model in settings.models.values()}}
        folders = {name: adapter_folder(model.adapter, sources[model.model]) for name, model in settings.models.items()}
        self._scorers: dict[str, LikelihoodScorer] = {}
        self._configs: dict[str, RerankConfig] = {}
        self._rules = settings.rules.copy()
        self._priors: dict[tuple[str, str], float] = {}
        self._turns = 0
        for base in dict.fromkeys(replace(model, adapter=NO_ADAPTER) for model in settings.models.values()):
            own = [name for name, model in settings.models.items() if replace(model, adapter=NO_ADAPTER) == base]
            self._load(base, {name: folders[name] for name in own}, settings)
        weights = {id(weight): weight for one in self._scorers.values() for weight in one.model.parameters()}
        self.info = ScoringInfo(
            {name: self._info(name) for name in settings.models}, sum(weight.numel() for weight in weights.values())
        )

    def _load(self, base: ModelConfig, folders: dict[str, Path | None], settings: ScoringSettings) -> None:
        """Load a base model, and put each adapter on it."""
        from pyserini_qpeft.models.adapters import with_adapter
        from pyserini_qpeft.models.loading import load_model
        from pyserini_qpeft.reranking.loaded import settle
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        bare, tokenizer = load_model(base)
        others: list[LikelihoodScorer] = []
        for name, folder in folders.items():
            model = bare if folder is None else with_adapter(_same_weights(bare, folder), folder)
            frozen = model.requires_grad_(False).eval()
            config = settings.configs[name]
            # Adapters that leave the reading of passages as it is share one passage cache.
            scorer = LikelihoodScorer(frozen, tokenizer, config.scoring, others=others)
            others.append(scorer)
            try:
                self._configs[name] = settle(config, scorer)
                if name in self._rules:
                    self._rules[name] = self._rules[name] or rule_of(frozen)
            except QPeftError as mistake:
                raise QPeftError(f"model {name}: {mistake}") from None
            self._scorers[name] = scorer
            # The first pass through a model is slow.
            scorer.score(scorer.sequences([("a question", "a passage")]))

    def _info(self, name: str) -> ModelInfo:
        scorer, config = self._scorers[name], self._configs[name]
        passage: int = scorer.encoder.passage_tokens
        windows = config.windows
        most = passage if windows is None else windows.read and windows.read * (windows.size or passage)
        return ModelInfo(scorer.row_scorer.budget.tokens, most, config, self._rules.get(name))

    def score(
        self, model: str, pairs: Sequence[tuple[str, str]], text_tokens: Sequence[int | None], queries: Sequence[str]
    ) -> TurnScores:
        """Score pairs.

        Args:
            model: Name of the model.
            pairs: (query, passage or document) texts.
            text_tokens: For each pair, the most tokens of its text that are read; None is the model's own limit.
            queries: Those whose likelihoods without a passage are wanted, if the model has a calibration.
        """
        scorer, config = self._scorers[model], self._configs[model]
        own = self.info.models[model].text_tokens
        read = [
            (query, text if most is None or (own is not None and most >= own) else _cut(scorer, text, most))
            for (query, text), most in zip(pairs, text_tokens, strict=True)
        ]
        scored = ModelScoring(scorer, config.windows).score([as_pair(*pair) for pair in read])
        self._turns += 1
        if self._turns % _TURNS_BETWEEN_TRIMS == 0:
            _return_free_memory()
        cut = [
            tokens + (len(seen) < len(text))
            for tokens, (_, seen), (_, text) in zip(scored.tokens_cut, read, pairs, strict=True)
        ]
        priors = self._priors_of(model, queries) if config.calibration is not None else {}
        return TurnScores(replace(scored, sequences=[], tokens_cut=cut), priors)

    def _priors_of(self, model: str, queries: Sequence[str]) -> dict[str, float]:
        scorer, priors = self._scorers[model], self._priors
        new = [query for query in queries if (model, query) not in priors]
        if len(priors) + len(new) > _PRIORS:
            priors.clear()
            new = list(queries)
        if new:
            found, _ = ModelScoring(scorer, None).priors(new)
            priors.update({(model, query): prior for query, prior in found.items()})
        return {query: priors[model, query] for query in queries}

    def explain(self, model: str, query: str, text: str) -> "Explanation":
        """The parts of one likelihood."""
        from pyserini_qpeft.reranking.explanation import explain

        return explain(self._scorers[model], query, text, self._configs[model].windows)


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
