"""Evaluation on the dev queries during training: the loss on fixed pairs, and nDCG@10 of reranking candidates."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate.utils import gather_object

from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.data.records import Qrels, Run, ScoredDoc
from pyserini_qpeft.evaluation.measures import score_queries
from pyserini_qpeft.models.registry import loaded_name
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.reranking.ranking import rank_hits
from pyserini_qpeft.scoring.scorer import LikelihoodScorer
from pyserini_qpeft.training.batches import Teacher
from pyserini_qpeft.training.config import SamplingConfig
from pyserini_qpeft.training.losses.compute import query_losses
from pyserini_qpeft.training.losses.config import LossConfig
from pyserini_qpeft.training.losses.lists import ScoredLists
from pyserini_qpeft.training.sampling import dev_lists

MEASURE = "nDCG@10"
Scores = dict[tuple[str, str], float]
"""Likelihood of each (query, passage) pair."""


@dataclass(frozen=True, slots=True)
class DevFigures:
    """Figures of a model on the dev queries.

    Attributes:
        loss: Mean over queries of the loss on the fixed pairs.
        ndcg: nDCG@10 of the likelihood alone.
        fused_ndcg: nDCG@10 of the likelihood fused with the first stage, with the weight that comes with the base
            model; None if first-stage scores are not known.
    """

    loss: float
    ndcg: float
    fused_ndcg: float | None


class DevSet:
    """Dev queries with their fixed pairs and their candidates.

    Args:
        examples: The dev examples.
        config: How pairs are sampled, and how many candidates of a query are reranked.
        loss: The loss.
        teacher: Scores of a teacher model, for margin-mse.
        seed: Seed of the sampling of the pairs.
    """

    def __init__(
        self,
        examples: Sequence[TrainingExample],
        config: SamplingConfig,
        loss: LossConfig,
        teacher: Teacher | None,
        seed: int,
    ) -> None:
        self.lists = dev_lists(examples, config, seed)
        self.loss = loss
        self.teacher = teacher or {}
        self.queries = {example.qid: example.query for example in examples}
        self.candidates = {example.qid: _candidates(example, config.dev_depth) for example in examples}
        self.qrels: Qrels = {example.qid: {passage.docid: 1 for passage in example.positives} for example in examples}
        self.has_first_stage = all(
            passage.score is not None for passages in self.candidates.values() for passage in passages
        )

    def __len__(self) -> int:
        return len(self.queries)

    def first_stage_ndcg(self) -> float | None:
        """nDCG@10 of the first stage's own order; None if its scores are not known."""
        if not self.has_first_stage:
            return None
        return _ndcg(
            {
                qid: [ScoredDoc(passage.docid, passage.score or 0.0) for passage in passages]
                for qid, passages in self.candidates.items()
            },
            self.qrels,
        )

    def measure(self, scorer: LikelihoodScorer) -> DevFigures:
        """Score all pairs, divided among the processes, with dropout off and no random number drawn."""
        training = scorer.model.training
        scorer.model.eval()
        scores = _score(scorer, self._pairs())
        scorer.model.train(training)
        fusion = FusionConfig().for_model(loaded_name(scorer.model))
        fused = self._run(scores, fusion) if self.has_first_stage else None
        return DevFigures(
            loss=self._loss(scores),
            ndcg=_ndcg(self._run(scores, None), self.qrels),
            fused_ndcg=None if fused is None else _ndcg(fused, self.qrels),
        )

    def _pairs(self) -> list[tuple[str, str]]:
        compared = [(one.query, passage.text) for one in self.lists for passage in one.passages]
        reranked = [
            (self.queries[qid], passage.text) for qid, passages in self.candidates.items() for passage in passages
        ]
        return list(dict.fromkeys(compared + reranked))

    def _loss(self, scores: Scores) -> float:
        values = []
        for one in self.lists:
            known = self.teacher.get(one.qid, {})
            lists = ScoredLists(
                torch.tensor([[scores[one.query, passage.text] for passage in one.passages]]),
                torch.tensor([one.positive]),
                torch.ones(1, len(one.passages), dtype=torch.bool),
                torch.tensor([[known.get(passage.docid, torch.nan) for passage in one.passages]]),
            )
            values.append(float(query_losses(lists, self.loss)))
        return sum(values) / len(values)

    def _run(self, scores: Scores, fusion: FusionConfig | None) -> Run:
        run: dict[str, list[ScoredDoc]] = {}
        for qid, passages in self.candidates.items():
            values = [scores[self.queries[qid], passage.text] for passage in passages]
            first_stage = [math.nan if passage.score is None else passage.score for passage in passages]
            ranking = rank_hits(values, first_stage, fusion)
            run[qid] = [
                ScoredDoc(passages[place].docid, score)
                for place, score in zip(ranking.order, ranking.scores, strict=True)
            ]
        return run


def _candidates(example: TrainingExample, depth: int) -> list[TrainingPassage]:
    """The first stage's list without the positives that it missed; all passages if its scores are not known."""
    passages = {passage.docid: passage for passage in (*example.positives, *example.negatives)}
    retrieved = [passage for passage in passages.values() if passage.score is not None]
    if all(passage.score is not None for passage in example.negatives) and retrieved:
        return sorted(retrieved, key=lambda passage: -(passage.score or 0.0))[:depth]
    listed = list(passages.values())[:depth]
    # Positives come first in the file; a model that gives equal scores must not gain by that.
    random.Random(example.qid).shuffle(listed)
    return listed


def _score(scorer: LikelihoodScorer, pairs: list[tuple[str, str]]) -> Scores:
    from accelerate import PartialState

    state = PartialState()
    own = pairs[state.process_index :: state.num_processes]
    scored: list[tuple[tuple[str, str], float]] = []
    size = scorer.query_batch_pairs
    for start in range(0, len(own), size):
        block = own[start : start + size]
        scored += zip(block, scorer.score(scorer.sequences(block)).tolist(), strict=True)
    return dict(gather_object(scored))


def _ndcg(run: Run, qrels: Qrels) -> float:
    return float(score_queries(run, qrels, [MEASURE])[MEASURE].mean())
