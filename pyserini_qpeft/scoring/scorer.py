"""The model over many pairs: batches within a token budget, sorted by length, smaller when memory runs out."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.likelihood import QueryLikelihood, query_likelihood
from pyserini_qpeft.qpeft.selection import HintSelector
from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate
from pyserini_qpeft.scoring.batch import collate, plan_batches
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.sequences import PairSequence, SequenceBuilder

logger = logging.getLogger(__name__)

_CPU_BATCH_TOKENS = 4096
_MOST_BATCH_TOKENS = 65536


class LikelihoodScorer:
    """Scores pairs with a causal language model, prompted by Q-PEFT where it carries such an adapter.

    Args:
        model: A causal language model, or a `PeftModel` over one.
        tokenizer: Its fast tokenizer.
        config: How scoring is done.
        template: The prompt's wording for a model without a Q-PEFT adapter.

    Attributes:
        adapter: The active Q-PEFT adapter's settings, or None.
        builder: Makes the sequences that are scored.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        config: ScoringConfig | None = None,
        template: PromptTemplate | None = None,
    ) -> None:
        self.model = model
        self.config = config or ScoringConfig()
        self.adapter = active_adapter(model)
        wording = self.adapter.prompt_template if self.adapter else template or PromptTemplate()
        self.encoder = PromptEncoder(tokenizer, wording, self.config.passage_tokens)
        embeddings = model.get_input_embeddings()
        hinted = self.adapter is not None and self.adapter.variant != "none"
        selector = HintSelector(self.adapter, embeddings, tokenizer) if hinted and self.adapter else None
        window = getattr(model.config, "max_position_embeddings", None) or 1 << 20
        self.builder = SequenceBuilder(self.encoder, self.adapter, selector, window)
        self.device = embeddings.weight.device
        self.batch_tokens = self.config.batch_tokens or _batch_tokens(model, self.device)

    def sequences(self, pairs: Sequence[tuple[str, str]], *, hints: bool = True) -> list[PairSequence]:
        """Tokenises each distinct query and passage once and puts the pairs together.

        Args:
            pairs: (query, passage) texts.
            hints: False leaves the hints out.
        """
        queries = list(dict.fromkeys(query for query, _ in pairs))
        passages = list(dict.fromkeys(passage for _, passage in pairs))
        encoded_queries = dict(zip(queries, self.encoder.queries(queries), strict=True))
        encoded_passages = dict(zip(passages, self.encoder.passages(passages), strict=True))
        build = self.builder.build
        return [build(encoded_queries[query], encoded_passages[passage], hints=hints) for query, passage in pairs]

    def score(self, sequences: Sequence[PairSequence]) -> npt.NDArray[np.float32]:
        """Mean log-likelihood of each sequence's query tokens.

        Returns:
            float32 of shape `[len(sequences)]`, in the order given; the same whatever else is in the list.

        Raises:
            QPeftError: If even one sequence alone does not fit into memory.
        """
        scores = np.full(len(sequences), np.nan, dtype=np.float32)
        lengths = [len(sequence.ids) for sequence in sequences]
        left = plan_batches(lengths, self.batch_tokens)
        while left:
            rows = left[0]
            likelihood = self._forward_or_none([sequences[i] for i in rows])
            if likelihood is not None and likelihood.scores is not None:
                scores[rows] = likelihood.scores.cpu().numpy()
                left = left[1:]
            else:
                remaining = np.concatenate(left)
                self.batch_tokens = self._halved(sum(lengths[i] for i in rows), len(rows))
                left = [remaining[b] for b in plan_batches([lengths[i] for i in remaining], self.batch_tokens)]
        return scores

    def token_logprobs(self, sequence: PairSequence) -> npt.NDArray[np.float32]:
        """Log-likelihood of each of one sequence's query tokens, float32 `[tokens]`."""
        logprobs = self.forward([sequence]).token_logprobs
        assert logprobs is not None
        values: npt.NDArray[np.float32] = logprobs.cpu().numpy()
        return values

    def forward(self, sequences: Sequence[PairSequence]) -> QueryLikelihood:
        """One pass of the model over a batch, without gradients."""
        instruction = slice(len(self.encoder.bos), len(self.builder.head))
        batch = collate(sequences, self.adapter, self.builder.padding_id, instruction)
        with torch.inference_mode():
            on_device = {name: tensor.to(self.device) for name, tensor in batch.items()}
            if self.adapter is None:
                return query_likelihood(self.model, **on_device)
            likelihood: QueryLikelihood = self.model(**on_device)
            return likelihood

    def _forward_or_none(self, sequences: Sequence[PairSequence]) -> QueryLikelihood | None:
        """The likelihoods, or None where memory ran out."""
        try:
            return self.forward(sequences)
        except RuntimeError as error:
            if "memory" not in str(error).lower():
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _halved(self, tokens: int, pairs: int) -> int:
        if pairs == 1:
            raise QPeftError(
                f"out of memory on {self.device} with a single passage of {tokens} tokens: "
                "use a smaller model, fewer passage tokens or another device."
            )
        smaller = max(1, min(self.batch_tokens, tokens) // 2)
        logger.warning("out of memory on %s: batches of %d tokens from here on", self.device, smaller)
        return smaller


def active_adapter(model: Any) -> QPeftConfig | None:
    """The settings of the Q-PEFT adapter that is active on a model, or None."""
    configs = getattr(model, "peft_config", None) or {}
    active = configs.get(getattr(model, "active_adapter", "default"))
    return active if isinstance(active, QPeftConfig) else None


def _batch_tokens(model: Any, device: torch.device) -> int:
    """A first token budget: on a GPU from its free memory, which a layer's activations must fit into."""
    if device.type != "cuda":
        return _CPU_BATCH_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    width, inner = (
        model.config.hidden_size,
        getattr(model.config, "intermediate_size", 4 * model.config.hidden_size),
    )
    per_token = 4 * (8 * width + 3 * inner)
    return int(min(_MOST_BATCH_TOKENS, max(2048, free // 2 // per_token)))
