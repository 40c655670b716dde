"""Batches of pairs: each row is a prompt followed by several queries that cannot attend to each other.

A row has `[BOS]{instruction}\\nPassage: {passage}\\n` once and then each of its queries as `Question: {query}[EOS]`. A
query attends to the prompt and to itself, and its positions continue after the prompt. Its likelihood is therefore that
of the query alone with the passage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from recipes.base_model.pairs import Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

INSTRUCTION = "given the hints, please generate a question for the input passage"
CUE = "Question:"
QUERY_TOKENS = 40
STEP = 64  # lengths are rounded up to a multiple of this


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of a prompt, with the newline after the passage, and of the queries with cue and EOS."""

    prompt: tuple[int, ...]
    queries: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """Number of tokens in the row."""
        return len(self.prompt) + sum(map(len, self.queries))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded on the right.

    Attributes:
        ids: int64 [rows, length], token ids.
        positions: int64 [rows, length], position ids of the tokens.
        segments: int64 [rows, length], 0 = prompt, 1... = the row's queries, -1 = padding.
        scored: bool [rows, length], true at the query's tokens, without cue and EOS.
        ends: bool [rows, length], true at EOS tokens.
        columns: Largest number of queries in a row.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    segments: NDArray[np.int64]
    scored: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    columns: int


def tokenize(
    groups: Sequence[Sequence[Pair]],
    tokenizer: PreTrainedTokenizerFast,
    budgets: Sequence[int],
    random: Random,
) -> list[list[Row]]:
    """Tokenises groups in the package's prompt; each passage with its own queries becomes a row.

    Args:
        groups: The pairs.
        tokenizer: The tokenizer of the model.
        budgets: Numbers of tokens that passages are cut to; one is drawn for each group.
        random: Draws the budgets.
    """
    cue = cue_tokens(tokenizer)
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"]
    fixed = len(tokenizer(f"{INSTRUCTION}\nPassage:")["input_ids"])
    pairs = [pair for group in groups for pair in group]
    prompts = tokenizer([f"{INSTRUCTION}\nPassage: {pair.passage}" for pair in pairs], verbose=False)["input_ids"]
    queries = tokenizer([f"{CUE} {q}" for pair in pairs for q in pair.queries], add_special_tokens=False)["input_ids"]
    next_prompt, next_query = iter(prompts), iter(queries)
    found = []
    for group in groups:
        budget = random.choice(budgets)
        rows = []
        for pair in group:
            own = [(*next(next_query)[: cue + QUERY_TOKENS], tokenizer.eos_token_id) for _ in pair.queries]
            rows.append(Row((*next(next_prompt)[: fixed + budget], *newline), tuple(own)))
        found.append(rows)
    return found


def cue_tokens(tokenizer: PreTrainedTokenizerFast) -> int:
    """Returns the number of tokens between the newline and the query."""
    return len(tokenizer(CUE, add_special_tokens=False)["input_ids"])


def for_copying(groups: Iterable[Sequence[Row]], own: int, random: Random) -> Iterator[list[Row]]:
    """Yields every row alone, with at most `own` of its queries."""
    for group in groups:
        for row in group:
            yield [Row(row.prompt, tuple(random.sample(row.queries, min(own, len(row.queries)))))]


def for_ranking(groups: Iterable[Sequence[Row]], own: int, random: Random) -> Iterator[list[Row]]:
    """Yields groups in which every row has `own` queries of each passage of the group, in the order of the passages."""
    for group in groups:
        queries = [query for row in group for query in random.sample(row.queries, min(own, len(row.queries)))]
        if len(queries) == own * len(group):
            yield [Row(row.prompt, tuple(queries)) for row in group]


def batches(units: Iterable[list[Row]], tokens: int, cue: int, pad: int) -> Iterator[Batch]:
    """Yields batches of at most `tokens` tokens, padding included, from rows of similar length.

    Rows of a unit stay together. Rows at the end that do not fill a batch are left out.
    """
    pools: dict[int, list[Row]] = {}
    for unit in units:
        length = -(-max(row.length for row in unit) // STEP) * STEP
        pool = pools.setdefault(length, [])
        pool += unit
        if (len(pool) + len(unit)) * length > tokens:
            yield collate(pool, cue, pad, length)
            pool.clear()


def collate(rows: Sequence[Row], cue: int, pad: int, length: int) -> Batch:
    """Pads rows to `length` tokens.

    Args:
        rows: One or more rows.
        cue: Number of tokens of the cue.
        pad: Id of the padding token.
        length: At least the length of the longest row.
    """
    shape = (len(rows), length)
    ids = np.full(shape, pad, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    segments = np.full(shape, -1, dtype=np.int64)
    scored = np.zeros(shape, dtype=bool)
    ends = np.zeros(shape, dtype=bool)
    for number, row in enumerate(rows):
        at = len(row.prompt)
        ids[number, :at] = row.prompt
        positions[number, :at] = np.arange(at)
        segments[number, :at] = 0
        for column, query in enumerate(row.queries, start=1):
            end = at + len(query)
            ids[number, at:end] = query
            positions[number, at:end] = len(row.prompt) + np.arange(len(query))
            segments[number, at:end] = column
            scored[number, at + cue : end - 1] = True
            ends[number, end - 1] = True
            at = end
    return Batch(ids, positions, segments, scored, ends, max(len(row.queries) for row in rows))
