"""Sequences of different lengths as one batch of tensors, padded on the right."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.hints import hint_rule
from pyserini_qpeft.qpeft.packing import PADDING, SHARED, Packing
from pyserini_qpeft.qpeft.tuner import NO_HINT
from pyserini_qpeft.scoring.row_length import RowLength
from pyserini_qpeft.scoring.sequences import PairSequence

Batch = dict[str, Any]
"""Keyword arguments of a forward pass: tensors, and a `Packing` where rows hold several pairs."""

Row = Sequence[PairSequence]
"""Pairs that stand in one row of a batch, one after the other behind the passage that they share; mostly one."""

_LONGEST = RowLength()


def collate(
    rows: Sequence[Row],
    config: QPeftConfig | None,
    padding_id: int,
    instruction: slice,
    *,
    after_shared: bool = False,
    packed: bool = False,
    length: RowLength = _LONGEST,
) -> Batch:
    """Makes the keyword arguments of a Q-PEFT model's forward pass.

    Args:
        rows: The pairs of the batch, row by row.
        config: The adapter's settings, or None for the bare model.
        padding_id: The id at padding.
        instruction: Where the instruction stands in each sequence.
        after_shared: Leave out `shared_ids`, because the model has read them already.
        packed: Add a `Packing`, so that the pairs of a row do not see each other; needed if a row has several pairs.
        length: The length of the rows (default: that of the longest one).

    Returns:
        `input_ids` and `target_mask` for the bare model, and `packing` if packed. With an adapter also `hint_index`,
        the inputs of its hint rule (`HintRule.inputs`, a row for each pair), and `instruction_index` if the instruction
        is trained.
    """
    shared = [0 if after_shared else len(row[0].shared_ids) for row in rows]
    input_ids = padded(
        [
            np.concatenate([row[0].shared_ids[:before], *(s.following for s in row)])
            for row, before in zip(rows, shared, strict=True)
        ],
        padding_id,
        length,
    )
    target_mask = np.zeros(input_ids.shape, dtype=bool)
    for number, (row, begin) in enumerate(zip(rows, shared, strict=True)):
        for s in row:
            target_mask[number, begin + s.target : begin + len(s.following)] = True
            begin += len(s.following)
    batch: dict[str, Any] = {"input_ids": torch.from_numpy(input_ids), "target_mask": torch.from_numpy(target_mask)}
    if packed:
        batch["packing"] = _packing(rows, shared, input_ids.shape[1])
    if config is None:
        return batch
    pairs = [s for row in rows for s in row]
    rule = hint_rule(config)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: padded(listed, False if listed[0].dtype == bool else padding_id)
        for name, listed in rule.inputs(pairs).items()
    }
    hints = rule.width(arrays)
    hint_index = np.full(input_ids.shape, NO_HINT, dtype=np.int64)
    first = 0
    for number, (row, begin) in enumerate(zip(rows, shared, strict=True)):
        for s in row:
            here = s.hint_index
            hint_index[number, begin : begin + len(here)] = np.where(here >= 0, here + first, here)
            begin += len(here)
            first += hints
    arrays["hint_index"] = hint_index
    if config.instruction_mode == "suffix":
        listed = [np.concatenate([s.instruction_index for s in row]) for row in rows]
        before = [np.full(tokens, NO_HINT) for tokens in shared]
        both = [np.concatenate(parts) for parts in zip(before, listed, strict=True)]
        arrays["instruction_index"] = padded(both, NO_HINT, length)
    elif config.instruction_mode == "soft" and not after_shared:
        arrays["instruction_index"] = instruction_index(input_ids.shape, instruction)
    return batch | {name: torch.from_numpy(array) for name, array in arrays.items()}


def _packing(rows: Sequence[Row], shared: Sequence[int], length: int) -> Packing:
    pairs = np.full((len(rows), length), PADDING, dtype=np.int64)
    places = np.zeros_like(pairs)
    count = 0
    for number, (row, begin) in enumerate(zip(rows, shared, strict=True)):
        pairs[number, :begin] = SHARED
        places[number, :begin] = np.arange(begin)
        behind = len(row[0].shared_ids)
        for s in row:
            end = begin + len(s.following)
            pairs[number, begin:end] = count
            places[number, begin:end] = np.maximum(0, behind + s.places)
            begin = end
            count += 1
    return Packing(torch.from_numpy(pairs), torch.from_numpy(places), count)


def plan_batches(
    lengths: Sequence[int], batch_tokens: int, extra: Sequence[int] | None = None
) -> list[npt.NDArray[np.int64]]:
    """Groups rows of like length, so that padding stays small.

    Args:
        lengths: Tokens of each row.
        batch_tokens: The most tokens in a batch, padding included; a longer row gets a batch of its own.
        extra: Other memory that each row needs, counted in tokens (default: none).

    Returns:
        Indices into `lengths`, longest batch first, so that memory runs out at once or never.
    """
    batches = []
    order = np.argsort(-np.asarray(lengths), kind="stable")
    taken = np.zeros(len(lengths), dtype=np.int64) if extra is None else np.asarray(extra)[order]
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        fitting = max(1, batch_tokens // longest)
        sizes = longest * np.arange(1, fitting + 1)[: len(order) - start] + taken[start : start + fitting].cumsum()
        fitting = max(1, int(np.searchsorted(sizes, batch_tokens, side="right")))
        batches.append(order[start : start + fitting])
        start += fitting
    return batches


def instruction_index(shape: tuple[int, ...], instruction: slice) -> npt.NDArray[np.int64]:
    """Which vector of a trained instruction stands at each place of a batch, -1 where none does."""
    index = np.full(shape, NO_HINT, dtype=np.int64)
    index[:, instruction] = np.arange(instruction.stop - instruction.start)
    return index


def padded(
    rows: Iterable[npt.NDArray[np.generic]], value: int | bool, length: RowLength = _LONGEST
) -> npt.NDArray[np.generic]:
    """The rows as one array `[rows, length]`, filled up on the right with `value`."""
    listed = list(rows)
    # At least one column: attention over no key at all has no meaning, even where its result is not used.
    longest = max(1, *(len(row) for row in listed))
    padded = np.full((len(listed), length.of(longest)), value, dtype=listed[0].dtype)
    for i, row in enumerate(listed):
        padded[i, : len(row)] = row
    return padded
