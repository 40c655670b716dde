"""Turns lists of candidates into the tensors of a training step: batches of pairs, and the place of each score."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import torch

from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.batch import Batch, Row, plan_batches
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.losses.lists import ScoredLists
from pyserini_qpeft.training.sampling import CandidateList

Teacher = Mapping[str, Mapping[str, float]]
"""Scores of a teacher, by qid and docid."""


class Step(TypedDict):
    """The tensors of a step.

    Attributes:
        batches: Keyword arguments of one forward pass each.
        shared: With a passage cache, the token ids before each row of each batch; else empty.
        places: int64 `[pairs]`, batch after batch: the place of each pair in the flattened `[queries, candidates]`.
        positive: bool `[queries, candidates]`, true at positives.
        valid: bool `[queries, candidates]`, false at padding.
        teacher: float32 `[queries, candidates]`, the teacher's scores; NaN if unknown.
    """

    batches: list[Batch]
    shared: list[list[TokenIds]]
    places: torch.Tensor
    positive: torch.Tensor
    valid: torch.Tensor
    teacher: torch.Tensor


class StepCollator:
    """Makes the tensors of a training step. Pairs that share a passage stand in one row, as in scoring.

    Args:
        scorer: Builds the sequences and batches, the same as in scoring.
        batch_tokens: Tokens per forward pass, padding included.
        teacher: Scores for the loss margin-mse.
    """

    def __init__(self, scorer: LikelihoodScorer, batch_tokens: int, teacher: Teacher | None = None) -> None:
        self.scorer = scorer
        self.batch_tokens = batch_tokens
        self.teacher = teacher or {}
        # The trial of packing needs a model without dropout, as the scorer has left it.
        _ = scorer.planner.packs

    def __call__(self, groups: Sequence[Sequence[CandidateList]]) -> Step:
        """Makes one step of all lists in the groups. Each distinct query and passage is tokenized once."""
        row_scorer = self.scorer.row_scorer
        lists = [candidates for group in groups for candidates in group]
        width = max(len(candidates.passages) for candidates in lists)
        places: list[int] = []
        pairs: list[tuple[str, str]] = []
        positive = torch.zeros(len(lists), width, dtype=torch.bool)
        valid = torch.zeros(len(lists), width, dtype=torch.bool)
        teacher = torch.full((len(lists), width), torch.nan)
        for row, candidates in enumerate(lists):
            count = len(candidates.passages)
            places += range(row * width, row * width + count)
            pairs += [(candidates.query, passage.text) for passage in candidates.passages]
            positive[row, :count] = torch.tensor(candidates.positive)
            valid[row, :count] = True
            known = self.teacher.get(candidates.qid, {})
            scores = [known.get(passage.docid, torch.nan) for passage in candidates.passages]
            teacher[row, :count] = torch.tensor(scores)
        sequences = self.scorer.sequences(pairs)
        parts: list[list[Row]] = []
        order: list[int] = []
        for rows in self.scorer.plan_rows(sequences):
            paired = [[sequences[place] for place in row] for row in rows]
            for batch in plan_batches(row_scorer.lengths(paired), self.batch_tokens):
                parts.append([paired[i] for i in batch])
                order += [place for i in batch for place in rows[i]]
        return Step(
            batches=[row_scorer.collate(part) for part in parts],
            shared=[[row[0].shared_ids for row in part] for part in parts] if row_scorer.cache is not None else [],
            places=torch.tensor([places[i] for i in order]),
            positive=positive,
            valid=valid,
            teacher=teacher,
        )


def as_lists(scores: torch.Tensor, step: Mapping[str, Any]) -> ScoredLists:
    """Puts the scores of a step's pairs, given batch after batch, back into lists."""
    valid = step["valid"]
    flat = scores.new_zeros(valid.numel()).index_put((step["places"],), scores)
    return ScoredLists(flat.view(valid.shape), step["positive"], valid, step["teacher"])
