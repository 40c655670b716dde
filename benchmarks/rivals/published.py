"""Q-PEFT-R with the speed of its published code: fifteen hints found by loops, batches of six, all logits.

The slow choices are those of the published code: pairs in the given order, six in a batch, padded on the left, float32,
hints computed pair by pair in Python, logits and softmax over the whole vocabulary at all positions. Where the
published code has errors, this code does what our package does, so that both give the same score.
"""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.rivals.ours import loaded, reranker
from benchmarks.rivals.rival import Loaded, Pairs, Rival, Scores
from benchmarks.sizes import ModelFolders
from pyserini_qpeft.qpeft.template import PromptTemplate

_BATCH = 6
_IGNORED = -100


def load(place: ModelFolders) -> Loaded:
    """Loads the model with the adapter that `ours-R` uses."""
    ours = reranker(place, "retrieval", share_passages=False)
    scoring = Published(ours.scorer.model, ours.scorer.encoder.tokenizer)
    return Loaded(ours.scorer.model, scoring.score, loaded(ours).readings)


class Published:
    """Scores pairs as the published code does.

    Args:
        model: A `PeftModel` with a Q-PEFT-R adapter.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._base = model.get_base_model()
        self._prompt = model.base_model.prompt
        self._tokenizer = tokenizer
        self._wording = PromptTemplate()
        self._embeddings = self._base.get_input_embeddings()
        self._device = self._embeddings.weight.device

    @torch.inference_mode()
    def score(self, pairs: Pairs) -> Scores:
        """Returns the mean log-likelihood of each query."""
        scores: list[float] = []
        for start in range(0, len(pairs), _BATCH):
            scores += self._batch(pairs[start : start + _BATCH])
        return np.array(scores, dtype=np.float32)

    def _batch(self, pairs: Pairs) -> list[float]:
        vectors, labels = zip(*(self._sequence(query, passage) for query, passage in pairs), strict=True)
        longest = max(len(row) for row in labels)
        embeds = torch.stack([functional.pad(row, (0, 0, longest - len(row), 0)) for row in vectors])
        targets = torch.stack([functional.pad(row, (longest - len(row), 0), value=_IGNORED) for row in labels])
        mask = torch.stack([(torch.arange(longest) >= longest - len(row)).long() for row in labels]).to(self._device)
        places = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self._base(inputs_embeds=embeds, attention_mask=mask, position_ids=places, use_cache=False).logits
        losses = functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1),
            targets[:, 1:].flatten(),
            reduction="none",
            ignore_index=_IGNORED,
        ).view(len(labels), -1)
        counted = targets[:, 1:] != _IGNORED
        means = (losses * counted).sum(1) / counted.sum(1)
        return [-mean for mean in means.tolist()]

    def _sequence(self, query: str, passage: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns a pair's vectors `[length, width]`, and its labels: ids at the query's tokens, -100 elsewhere."""
        wording, tokenizer = self._wording, self._tokenizer
        before = f"{wording.instruction}\n{wording.passage_label}"
        after = f"{before}{passage.strip()}\n"
        start, question = len(before), len(after) + len(wording.question_label)
        prompt = tokenizer(
            f"{after}{wording.question_label}{query.strip()}",
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        ids, spans = prompt["input_ids"][0].to(self._device), prompt["offset_mapping"][0]
        own = (spans[:, 1] > start) & (spans[:, 0] < len(after) - 1)
        is_query = spans[:, 1] > question
        seam = int((spans[:, 1] <= len(after)).sum())
        hints = self._hints(ids[is_query.to(self._device)], ids[own.to(self._device)])
        head = self._ids(tokenizer("")["input_ids"])
        embeds = [self._embeddings(head), self._embeddings(ids[:seam])]
        if len(hints):
            label, newline = self._piece(f"\n{wording.hints_label}", 1), self._piece("x\n", 1)
            embeds += [self._embeddings(label), self._prompt.mlp(self._embeddings(hints).float()).to(embeds[0].dtype)]
            embeds += [self._embeddings(newline)]
        embeds.append(self._embeddings(ids[seam:]))
        vectors = torch.cat(embeds)
        labels = torch.full((len(vectors),), _IGNORED, device=self._device)
        count = int(is_query.sum())
        labels[-count:] = ids[-count:]
        return vectors, labels

    def _hints(self, query: torch.Tensor, passage: torch.Tensor) -> torch.Tensor:
        """Returns the passage tokens with the largest cosines over all pairs of a query token and a passage token."""
        if not len(passage):
            return passage
        one = functional.normalize(self._embeddings(query).float(), dim=-1)
        other = functional.normalize(self._embeddings(passage).float(), dim=-1)
        cosines = (other @ one.T).clamp(max=1 - 1e-4)
        cosines[passage[:, None] == query[None, :]] = 1.0
        order = cosines.flatten().argsort(descending=True, stable=True)
        special = set(self._tokenizer.all_special_ids)
        chosen: list[int] = []
        for place in order:
            token = int(passage[int(place) // len(query)])
            if token in chosen or token in special:
                continue
            chosen.append(token)
            if len(chosen) == self._prompt.config.num_hints:
                break
        return self._ids(chosen)

    def _piece(self, text: str, skipped: int) -> torch.Tensor:
        """Returns the ids of a text without those of its first `skipped` characters."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return self._ids([token for token, (_, end) in ids if end > skipped])

    def _ids(self, ids: list[int]) -> torch.Tensor:
        return torch.tensor(ids, dtype=torch.long, device=self._device)


RIVAL = Rival("as published", against="ours-R", load=load, dtype="float32")
