"""Batches of pairs: each row a prompt, then several queries side by side that cannot see each other.

A row reads `[BOS]{instruction}\nPassage: {passage}\n` once and then every query of its group as
`Question: {query}[EOS]`. A query sees the prompt and itself, and its positions go on where the prompt ends: to the
model each is alone, at the price of the query's own tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from recipes.base_model.config import PairsConfig
from recipes.base_model.pairs import Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

INSTRUCTION = "given the hints, please generate a question for the input passage"
QUERY_TOKENS = 40


@dataclass(frozen=True, slots=True)
class Group:
    """A tokenised group: prompts of its passages and its queries, `queries` of each passage in turn."""

    prompts: tuple[tuple[int, ...], ...]
    queries: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return max(map(len, self.prompts)) + sum(map(len, self.queries))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of whole groups, padded on the right.

    Attributes:
        ids: int64 [rows, length], token ids.
        positions: int64 [rows, length], where each token stands for the model.
        segments: int64 [rows, length], 0 = prompt, 1... = the row's queries, -1 = padding.
        scored: bool [rows, length], the tokens whose likelihood is the query's: those after the cue, without EOS.
        ends: bool [rows, length], the EOS tokens.
        columns: How many queries a row has.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    segments: NDArray[np.int64]
    scored: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    columns: int


def tokenize(
    groups: Sequence[Sequence[Pair]], tokenizer: PreTrainedTokenizerFast, budgets: Sequence[int], random: Random
) -> list[Group]:
    """Tokenises groups in the package's prompt; passages are cut to a budget drawn from `budgets` for each group."""
    cue = tokenizer("Question:", add_special_tokens=False)["input_ids"]
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"]
    prompts = tokenizer(
        [f"{INSTRUCTION}\nPassage: {pair.passage}" for group in groups for pair in group], verbose=False
    )
    queries = tokenizer(
        [f"Question: {query}" for group in groups for pair in group for query in pair.queries], add_special_tokens=False
    )
    fixed = len(tokenizer(f"{INSTRUCTION}\nPassage:")["input_ids"])
    prompt_ids, query_ids = iter(prompts["input_ids"]), iter(queries["input_ids"])
    found = []
    for group in groups:
        budget = random.choice(budgets)
        heads = tuple((*next(prompt_ids)[: fixed + budget], *newline) for _ in group)
        tails = tuple(
            (*next(query_ids)[: len(cue) + QUERY_TOKENS], tokenizer.eos_token_id)
            for pair in group
            for _ in pair.queries
        )
        found.append(Group(heads, tails))
    return found


def batches(groups: Sequence[Group], config: PairsConfig, cue: int, pad: int, seed: int) -> Iterator[Batch]:
    """All groups once, in batches of about `config.batch_tokens` padded tokens and of like lengths.

    Lengths are padded up to a multiple of 64, so that there are few shapes to compile.
    """
    random = Random(seed)
    pools: dict[int, list[Group]] = {}
    shuffled = list(groups)
    random.shuffle(shuffled)
    for group in shuffled:
        length = -(-group.length // 64) * 64
        pool = pools.setdefault(length, [])
        pool.append(group)
        if (len(pool) + 1) * config.group * length > config.batch_tokens:
            yield collate(pool, cue, pad, length)
            pool.clear()


def collate(groups: Sequence[Group], cue: int, pad: int, length: int) -> Batch:
    """Lays groups out as rows of `length` tokens.

    Args:
        groups: whole groups of one size.
        cue: how many tokens "Question:" has.
        pad: id of the padding token.
        length: at least the longest row.
    """
    rows = sum(len(group.prompts) for group in groups)
    ids = np.full((rows, length), pad, dtype=np.int64)
    positions = np.zeros((rows, length), dtype=np.int64)
    segments = np.full((rows, length), -1, dtype=np.int64)
    scored = np.zeros((rows, length), dtype=bool)
    ends = np.zeros((rows, length), dtype=bool)
    row = 0
    for group in groups:
        for prompt in group.prompts:
            at = len(prompt)
            ids[row, :at] = prompt
            positions[row, :at] = np.arange(at)
            segments[row, :at] = 0
            for number, query in enumerate(group.queries, start=1):
                end = at + len(query)
                ids[row, at:end] = query
                positions[row, at:end] = len(prompt) + np.arange(len(query))
                segments[row, at:end] = number
                scored[row, at + cue : end - 1] = True
                ends[row, end - 1] = True
                at = end
            row += 1
    return Batch(ids, positions, segments, scored, ends, len(groups[0].queries))
