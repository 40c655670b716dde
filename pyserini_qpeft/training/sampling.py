"""The order of the queries and the passages of each query, which depend on the seed and the epoch only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.training.config import SamplingConfig
from pyserini_qpeft.training.neighbours import NearQueries

_TRAIN, _DEV, _DRAW, _GROUP = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class CandidateList:
    """A query with the passages that its loss is computed on; `positive[i]` is about `passages[i]`."""

    qid: str
    query: str
    passages: tuple[TrainingPassage, ...]
    positive: tuple[bool, ...]


class TrainingGroups:
    """A torch map-style dataset whose entries are groups of queries; the queries of a group share their passages.

    By default a group is one query. An entry depends on the seed, the epoch and its index only, so neither the number
    of processes nor an interruption changes it.

    Args:
        examples: At least as many examples as a group has queries.
        config: How many passages a query gets, and how many queries a group has.
        seed: Seed of the order and the samples.
    """

    def __init__(self, examples: Sequence[TrainingExample], config: SamplingConfig, seed: int) -> None:
        self.examples = examples
        self.config = config
        self.seed = seed
        self._near = NearQueries(examples) if config.groups == "near" else None
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffles the queries for an epoch; the trainer calls this."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, _TRAIN, epoch])
        if self._near is None:
            self._order = rng.permutation(len(self.examples))
        else:
            self._order = self._near.order(self.config.in_batch, rng)

    def __len__(self) -> int:
        return len(self.examples) // self.config.in_batch

    def __getitem__(self, place: int) -> list[CandidateList]:
        size = self.config.in_batch
        members = self._order[place * size : (place + 1) * size]
        examples = [self.examples[member] for member in members]
        if self.config.group_passages is not None:
            rng = np.random.default_rng([self.seed, _GROUP, self.epoch, place])
            return _group(examples, self.config, self.config.group_passages, rng)
        return share_passages(
            [
                _sample(example, self.config, [self.seed, _TRAIN, self.epoch, int(member)])
                for member, example in zip(members, examples, strict=True)
            ],
            examples,
        )


def dev_lists(examples: Sequence[TrainingExample], config: SamplingConfig, seed: int) -> list[CandidateList]:
    """Samples the passages of the dev queries as in training, but once for the whole run."""
    return [_sample(example, config, [seed, _DEV, place]) for place, example in enumerate(examples)]


def draw(examples: Sequence[TrainingExample], count: int | None, seed: int) -> list[TrainingExample]:
    """Draws `count` examples and returns them in their order; all examples if there are not more than `count`."""
    if count is None or count >= len(examples):
        return list(examples)
    chosen = np.random.default_rng([seed, _DRAW]).choice(len(examples), count, replace=False)
    return [examples[place] for place in sorted(chosen)]


def share_passages(lists: Sequence[CandidateList], examples: Sequence[TrainingExample]) -> list[CandidateList]:
    """Adds the passages of the other lists to each list: as positives if they answer its query, else as negatives."""
    shared = []
    for own, example in zip(lists, examples, strict=True):
        known = {passage.text for passage in own.passages}
        others: dict[str, TrainingPassage] = {}
        for other in lists:
            for passage in other.passages if other is not own else ():
                if passage.text not in known:
                    others.setdefault(passage.text, passage)
        added = _judged(example, tuple(others.values()))
        shared.append(CandidateList(own.qid, own.query, own.passages + added.passages, own.positive + added.positive))
    return shared


def _group(
    examples: Sequence[TrainingExample], config: SamplingConfig, most: int, rng: np.random.Generator
) -> list[CandidateList]:
    """Lists of the same passages for all queries: positives of each, then hard negatives up to `most` passages.

    The positives alone may be more. Once half of the places are taken, a query whose positive is there already brings
    no further one.
    """
    chosen: dict[str, TrainingPassage] = {}
    for example in examples:
        there = any(passage.text in chosen for passage in example.positives)
        if not there or len(chosen) < most // 2:
            chosen |= {passage.text: passage for passage in _some(example.positives, config.positives, rng)}
    negatives = {passage.text: passage for example in examples for passage in example.negatives}
    others = [passage for text, passage in negatives.items() if text not in chosen]
    chosen |= {passage.text: passage for passage in _some(others, max(0, most - len(chosen)), rng)}
    return [_judged(example, tuple(chosen.values())) for example in examples]


def _judged(example: TrainingExample, passages: tuple[TrainingPassage, ...]) -> CandidateList:
    positives = {passage.text for passage in example.positives}
    # A text that several queries have may have another docid for each, by which the teacher's scores are known.
    own = {passage.text: passage for passage in (*example.negatives, *example.positives)}
    chosen = tuple(own.get(passage.text, passage) for passage in passages)
    return CandidateList(example.qid, example.query, chosen, tuple(passage.text in positives for passage in chosen))


def _sample(example: TrainingExample, config: SamplingConfig, seed: list[int]) -> CandidateList:
    rng = np.random.default_rng(seed)
    positives = _some(example.positives, config.positives, rng)
    negatives = _some(example.negatives, config.negatives, rng)
    return CandidateList(
        example.qid,
        example.query,
        positives + negatives,
        (True,) * len(positives) + (False,) * len(negatives),
    )


def _some(passages: Sequence[TrainingPassage], count: int, rng: np.random.Generator) -> tuple[TrainingPassage, ...]:
    if not passages or not count:
        return ()
    chosen = rng.choice(len(passages), min(count, len(passages)), replace=False)
    return tuple(passages[place] for place in chosen)
