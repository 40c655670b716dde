"""Query likelihood as in the examples of transformers: batches of 32 padded texts, logits at all positions."""

from typing import Any

import numpy as np
import torch

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from pyserini_qpeft.qpeft.template import PromptTemplate

_BATCH = 32


def load(place: ModelFolders) -> Loaded:
    """Loads the base model without an adapter."""
    ours = reranker(place, share_passages=False)
    scoring = Plain(ours.scorer.model, ours.scorer.encoder.tokenizer)
    return Loaded(ours.scorer.model, scoring.score, loaded(ours).readings)


class Plain:
    """Scores pairs with a causal model and transformers only.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    @torch.inference_mode()
    def score(self, pairs: Pairs) -> Scores:
        """Returns the mean log-likelihood of each query."""
        scores = [self._batch(pairs[start : start + _BATCH]) for start in range(0, len(pairs), _BATCH)]
        return np.concatenate(scores)

    def _batch(self, pairs: Pairs) -> Scores:
        wording = PromptTemplate()
        prompts = [
            f"{wording.instruction}\n{wording.passage_label}{passage.strip()}\n{wording.question_label}"
            for _, passage in pairs
        ]
        texts = [f"{prompt}{query.strip()}" for prompt, (query, _) in zip(prompts, pairs, strict=True)]
        batch = self._tokenizer(texts, padding=True, return_offsets_mapping=True, return_tensors="pt")
        ends = batch.pop("offset_mapping")[:, :, 1]
        batch = batch.to(self._model.device)
        logits = self._model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        logprobs = logits[:, :-1].float().log_softmax(-1)
        targets = batch["input_ids"][:, 1:]
        of_tokens = logprobs.gather(2, targets[:, :, None])[:, :, 0]
        is_query = (ends[:, 1:] > torch.tensor([[len(prompt)] for prompt in prompts])).to(of_tokens.device)
        means: Scores = ((of_tokens * is_query).sum(1) / is_query.sum(1)).cpu().numpy()
        return means


RIVAL = Rival("plain Hugging Face", against="ours", load=load)
