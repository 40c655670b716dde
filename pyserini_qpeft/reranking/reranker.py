"""The reranker: first-stage hits in, the same hits out in a better order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.data.fields import as_text
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.reranking.cross_encoder import CrossEncoderCalls
from pyserini_qpeft.reranking.deadline import Pace
from pyserini_qpeft.reranking.explanation import Explanation, explain
from pyserini_qpeft.reranking.fingerprint import config_settings, model_settings
from pyserini_qpeft.reranking.likelihood_reranker import LikelihoodReranker
from pyserini_qpeft.reranking.loaded import adapter_to_push, describe, settle
from pyserini_qpeft.reranking.options import CallOptions
from pyserini_qpeft.reranking.pair_scoring import ModelScoring
from pyserini_qpeft.reranking.progress import passage_bar
from pyserini_qpeft.reranking.requests import as_pairs
from pyserini_qpeft.scoring.report import ScoringReport
from pyserini_qpeft.windows.config import USUAL_WINDOWS

if TYPE_CHECKING:
    import torch

    from pyserini_qpeft.models.config import Quantization
    from pyserini_qpeft.qpeft.template import PromptTemplate
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer


class QPeftReranker(LikelihoodReranker, CrossEncoderCalls):
    """Reranks hits by the mean log-likelihood of the query under a language model prompted by Q-PEFT.

    The likelihood is fused with the first stage's score, unless the configuration says otherwise. Several threads may
    use one reranker.

    Args:
        scorer: The model that scores (query, passage) pairs.
        config: Which hits are rescored, and how scores become a ranking.

    Raises:
        QPeftError: A minimum probability is set, and there is no calibration.

    Attributes:
        scorer: As given.
        model: Its model.
        config: As given, with the settings of the scorer; a fusion weight and a calibration that were left open are
            those that come with the model.
        last_report: Counts and time of the call that began last.
        pace: How long scoring takes, for time limits.
    """

    def __init__(self, scorer: "LikelihoodScorer", config: RerankConfig | None = None) -> None:
        self.scorer = scorer
        self.model = scorer.model
        self.config = settle(RerankConfig.checked(config), scorer)
        self.last_report = ScoringReport()
        self.pace = Pace(scorer.config.passage_tokens if self.config.windows is None else None)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        adapter: str | Path | None = None,
        *,
        config: RerankConfig | None = None,
        template: "PromptTemplate | None" = None,
        device: str | None = None,
        dtype: "str | torch.dtype | None" = None,
        quantize: "Quantization | None" = None,
        trust_remote_code: bool = False,
        **model_kwargs: Any,
    ) -> Self:
        """Load a model and an adapter.

        Args:
            model: Hub id or folder of a causal language model; None is the shipped model.
            adapter: Hub id or folder of an adapter. None is the shipped adapter for the shipped model, and no adapter
                for any other; "none" is the bare model.
            config: Which hits are rescored, and how scores become a ranking. The default fuses the likelihood with the
                first stage's score, by the weight that comes with the model; `RerankConfig(fusion=None)` ranks by the
                likelihood alone.
            template: The prompt's wording for a model without a Q-PEFT adapter.
            device: Such as "cpu" or "cuda:0"; None is the first GPU, or the CPU if there is none.
            dtype: Such as "bfloat16" or `torch.bfloat16`; None is the best for the device.
            quantize: Fewer bits for the base model's weights: "int8" (torchao), "8bit" or "4bit" (bitsandbytes).
            trust_remote_code: Whether transformers may run code that comes with the model.
            **model_kwargs: Passed on to `AutoModelForCausalLM.from_pretrained`.

        Raises:
            QPeftError: A model or adapter cannot be loaded, or the two do not fit together.
        """
        named = ModelConfig(
            model=None if model is None else str(model),
            adapter=None if adapter is None else str(adapter),
            device=device,
            dtype=None if dtype is None else str(dtype).removeprefix("torch."),
            quantize=quantize,
            trust_remote_code=trust_remote_code,
        )
        return cls.from_config(named, config, template=template, **model_kwargs)

    @classmethod
    def from_config(
        cls,
        model: ModelConfig,
        config: RerankConfig | None = None,
        *,
        template: "PromptTemplate | None" = None,
        **model_kwargs: Any,
    ) -> Self:
        """Load the model and adapter of a `ModelConfig`; the other arguments are those of `from_pretrained`."""
        from pyserini_qpeft.models.loading import load_model

        settings = RerankConfig.checked(config)
        loaded, tokenizer = load_model(model, **model_kwargs)
        # Imported after loading: it imports torch, and a model that is not there should be reported at once.
        from pyserini_qpeft.scoring.scorer import LikelihoodScorer

        return cls(LikelihoodScorer(loaded, tokenizer, settings.scoring, template), settings)

    @property
    def query_batch_pairs(self) -> int:
        """A query batch ends with the query that brings it to this many passages or documents; see `ScoringConfig`.

        A document that is scored through windows counts as `USUAL_WINDOWS` passages.
        """
        pairs: int = self.scorer.query_batch_pairs
        if self.config.milliseconds is not None:
            return 1
        windows = self.config.windows
        return pairs if windows is None else max(1, pairs // min(USUAL_WINDOWS, windows.read or USUAL_WINDOWS))

    def pair_scoring(self) -> ModelScoring:
        """Scores pairs with the model."""
        return ModelScoring(self.scorer, self.config.windows)

    def settings(self) -> dict[str, Any]:
        """Everything that scores and rankings depend on, by name; see `fingerprint`."""
        return {**config_settings(self.config), **model_settings(self.scorer)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe(self.scorer, self.config)})"

    def push_to_hub(
        self, repo: str, *, private: bool | None = None, token: str | None = None, message: str | None = None
    ) -> str:
        """Upload the adapter's folder with its card to the Hugging Face hub; see `models.push.push_adapter`.

        Raises:
            QPeftError: The model has no adapter that was loaded from a folder, or the hub refuses.
        """
        from pyserini_qpeft.models.push import push_adapter

        return push_adapter(adapter_to_push(self.scorer), repo, private=private, token=token, message=message)

    def score(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Mean natural-log probability of the query's tokens given each text, not fused with anything.

        Args:
            query: The query.
            texts: The passages.

        Returns:
            float32 of shape `[len(texts)]`, in the order of `texts`; higher is better, never above 0.

        Raises:
            QPeftError: The query or a text is not a string, or `texts` is a single string.
        """
        return self._score(as_pairs(query, texts))

    async def ascore(self, query: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """`score` in a thread, so that an event loop continues meanwhile; see `arerank`."""
        return await asyncio.to_thread(self.score, query, texts)

    def hints(self, query: str, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text that become hints for the query, nearest first; none for attended hints."""
        return list(map(self.scorer.hint_tokens, self.scorer.sequences(as_pairs(query, texts))))

    def explain(self, query: str, text: str) -> Explanation:
        """The parts of one likelihood: the hints, and the score of each query token with and without them."""
        return explain(self.scorer, as_text(query, "the query"), as_text(text, "the text"), self.config.windows)

    def _score(self, pairs: list[tuple[str, str]], *, progress: bool = False) -> npt.NDArray[np.float32]:
        size = self.scorer.query_batch_pairs
        with passage_bar(len(pairs), shown=progress) as bar:
            options = CallOptions(on_scored=bar.update)
            self.last_report = options.report
            call = self.call(options)
            blocks = [call.likelihoods(pairs[start : start + size]) for start in range(0, len(pairs), size)]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
