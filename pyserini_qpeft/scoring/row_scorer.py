"""Rows of pairs to scores: batches within the token budget, behind the cached passages if there is a cache."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.qpeft.likelihood import QueryLikelihood
from pyserini_qpeft.scoring.batch import Batch, Row, collate
from pyserini_qpeft.scoring.budget import DoesNotFitError, TokenBudget, logits_cost
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.passage_cache import PassageCache
from pyserini_qpeft.scoring.row_length import RowLength, row_multiple
from pyserini_qpeft.scoring.row_planner import RowPlanner
from pyserini_qpeft.scoring.sequences import PairSequence, SequenceBuilder

OnScored = Callable[[int], object]
"""Called with the number of pairs of each batch when the batch is scored. It delays the next batch: return soon."""


class RowScorer:
    """Scores rows of pairs. It owns all that changes while pairs are scored: the token budget and the passage cache.

    Several threads may use one row scorer. Both the budget and the cache change only under `budget.lock`, which is
    held for one batch at a time.

    Args:
        model: The model.
        builder: The builder of the sequences, which knows the padding id and the place of the instruction.
        planner: The planner of the rows.
        budget: How many tokens may go through the model at once.
        cache: Key-values of passages, or None.

    Attributes:
        multiple: Rows are padded to a multiple of this many tokens (`row_multiple`). Behind cached passages it is 1:
            what follows is short, and padding would cost more than it saves.
    """

    def __init__(
        self,
        model: PairModel,
        builder: SequenceBuilder,
        planner: RowPlanner,
        budget: TokenBudget,
        cache: PassageCache | None,
    ) -> None:
        self.model = model
        self.builder = builder
        self.planner = planner
        self.budget = budget
        self.cache = cache
        embeddings = model.model.get_input_embeddings().weight
        self.multiple = row_multiple(embeddings) if cache is None else 1
        self._vocabulary = len(embeddings)

    def score(self, rows: Sequence[Row], on_scored: OnScored | None = None) -> npt.NDArray[np.float32]:
        """Mean log-likelihood of the query tokens of each pair.

        Args:
            rows: Pairs; those of one row share a passage.
            on_scored: Is called after each batch.

        Returns:
            float32 `[pairs]`, row after row.

        Raises:
            DoesNotFitError: If one pair alone does not fit into memory.
        """
        if self.cache is None:
            return self._score(rows, on_scored)
        places = _places(rows)
        scores = np.empty(sum(map(len, rows)), dtype=np.float32)
        shared = [row[0].shared_ids for row in rows]
        for block in self.cache.blocks(shared):
            self.cache.fill([shared[i] for i in block])
            scores[np.concatenate([places[i] for i in block])] = self._score([rows[i] for i in block], on_scored)
        return scores

    def token_logprobs(self, sequence: PairSequence) -> npt.NDArray[np.float32]:
        """Log-likelihood of each scored token of one pair, float32 `[tokens]`."""
        values: list[npt.NDArray[np.float32]] = []

        def forward(_: npt.NDArray[np.int64]) -> None:
            logprobs = self.forward([[sequence]]).token_logprobs
            assert logprobs is not None
            values.append(logprobs.cpu().numpy())

        self.budget.run([len(sequence)], forward)
        return values[0]

    def forward(self, rows: Sequence[Row]) -> QueryLikelihood:
        """One forward pass over a batch, without gradients.

        Args:
            rows: The pairs of the batch; those of one row share a passage.
        """
        batch: dict[str, Any] = {name: value.to(self.model.device) for name, value in self.collate(rows).items()}
        with self.budget.lock:
            cached = None
            if self.cache is not None:
                room = batch["input_ids"].shape[1]
                cached = self.cache.batch([row[0].shared_ids for row in rows], reuse=True, room=room)
            with torch.inference_mode():
                return self.model.likelihood(batch, cached)

    def collate(self, rows: Sequence[Row]) -> Batch:
        """The keyword arguments of a forward pass; with a cache, those of what stands after the passages."""
        builder = self.builder
        packed = self._packed(rows)
        return collate(
            rows,
            self.model.adapter,
            builder.padding_id,
            builder.instruction,
            after_shared=self.cache is not None,
            packed=packed,
            length=self._length(packed=packed),
        )

    def lengths(self, rows: Sequence[Row]) -> list[int]:
        """The memory that each row needs in a batch, padding to the multiple included, in tokens of the budget."""
        following = [sum(len(sequence.following) for sequence in row) for row in rows]
        shared = [len(row[0].shared_ids) for row in rows]
        length = self._length(packed=self._packed(rows))
        if self.cache is None:
            return [length.of(before + after) for before, after in zip(shared, following, strict=True)]
        return [
            self.cache.batch_cost(before) + length.of(after) for before, after in zip(shared, following, strict=True)
        ]

    def _packed(self, rows: Sequence[Row]) -> bool:
        return self.planner.packs_all or any(len(row) > 1 for row in rows)

    def _length(self, *, packed: bool) -> RowLength:
        # A model may know no place after its longest sequence. The tokens of packed pairs all stand before that.
        return RowLength(self.multiple, None if packed else self.builder.max_length)

    def _score(self, rows: Sequence[Row], on_scored: OnScored | None) -> npt.NDArray[np.float32]:
        places = _places(rows)
        scores = np.empty(sum(map(len, rows)), dtype=np.float32)
        scored = np.zeros(len(rows), dtype=bool)

        def forward(batch: npt.NDArray[np.int64]) -> None:
            found = self._batch_scores([rows[i] for i in batch])
            scores[np.concatenate([places[i] for i in batch])] = found
            scored[batch] = True
            if on_scored is not None:
                on_scored(len(found))

        logits = [logits_cost(sum(len(sequence.scored) for sequence in row), self._vocabulary) for row in rows]
        try:
            self.budget.run(self.lengths(rows), forward, logits)
        except DoesNotFitError:
            # A row of several pairs did not fit: try each pair of the remaining rows in a row of its own.
            left = np.flatnonzero(~scored).tolist()
            single: list[Row] = [[sequence] for i in left for sequence in rows[i]]
            if len(single) == len(left):
                raise
            scores[np.concatenate([places[i] for i in left])] = self._score(single, on_scored)
        return scores

    def _batch_scores(self, rows: Sequence[Row]) -> npt.NDArray[np.float32]:
        # Compiled code would be compiled again for a batch of one row.
        doubled = [*rows, *rows] if self.planner.config.compile and len(rows) == 1 else rows
        likelihoods = self.forward(doubled).scores
        assert likelihoods is not None
        scores: npt.NDArray[np.float32] = likelihoods[: sum(map(len, rows))].cpu().numpy()
        return scores


def _places(rows: Sequence[Row]) -> list[npt.NDArray[np.int64]]:
    """Where the scores of each row stand when all scores are listed row after row."""
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return [np.arange(end - len(row), end) for row, end in zip(rows, ends, strict=True)]
