"""Sequences of different lengths as one batch of tensors, padded on the right."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.tuner import NO_HINT
from pyserini_qpeft.scoring.sequences import PairSequence

Batch = dict[str, torch.Tensor]


def collate(
    sequences: Sequence[PairSequence],
    config: QPeftConfig | None,
    padding_id: int,
    instruction: slice,
    *,
    after_context: bool = False,
) -> Batch:
    """Makes the keyword arguments of a Q-PEFT model's forward pass.

    Args:
        sequences: The pairs of the batch.
        config: The adapter's settings, or None for the bare model.
        padding_id: The id at padding.
        instruction: Where the instruction stands in each sequence.
        after_context: Leave out what stands before hints and query: the model has read it already.

    Returns:
        `input_ids` and `target_mask` for the bare model; with an adapter also `hint_index`, and what its hints are made
        of: `hint_ids` (retrieval) or `query_ids`, `query_mask`, `passage_ids`, `passage_mask` (attention), and
        `instruction_index` where the instruction is trained.
    """
    begins = [s.context if after_context else 0 for s in sequences]
    input_ids = padded((s.ids[begin:] for s, begin in zip(sequences, begins, strict=True)), padding_id)
    places = np.arange(input_ids.shape[1]) + np.array(begins)[:, None]
    starts = np.array([[s.target] for s in sequences])
    ends = np.array([[len(s.ids)] for s in sequences])
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "input_ids": input_ids,
        "target_mask": (places >= starts) & (places < ends),
    }
    if config is not None:
        arrays["hint_index"] = padded((s.hint_index[b:] for s, b in zip(sequences, begins, strict=True)), NO_HINT)
        if config.variant == "retrieval":
            arrays["hint_ids"] = padded((s.hint_ids for s in sequences), padding_id)
        elif config.variant == "attention":
            arrays["query_ids"] = padded((s.query for s in sequences), padding_id)
            arrays["query_mask"] = padded((np.ones(len(s.query), dtype=bool) for s in sequences), False)
            arrays["passage_ids"] = padded((s.passage for s in sequences), padding_id)
            arrays["passage_mask"] = padded((s.keys for s in sequences), False)
        if config.instruction_mode == "soft" and not after_context:
            arrays["instruction_index"] = instruction_index(input_ids.shape, instruction)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def plan_batches(lengths: Sequence[int], batch_tokens: int) -> list[npt.NDArray[np.int64]]:
    """Groups sequences of like length, so that padding stays small.

    Args:
        lengths: Tokens of each sequence.
        batch_tokens: The most tokens in a batch, padding included; a longer sequence gets a batch of its own.

    Returns:
        Indices into `lengths`, longest batch first, so that memory runs out at once or never.
    """
    batches = []
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        fitting = max(1, batch_tokens // lengths[order[start]])
        batches.append(order[start : start + fitting])
        start += fitting
    return batches


def instruction_index(shape: tuple[int, ...], instruction: slice) -> npt.NDArray[np.int64]:
    """Which vector of a trained instruction stands at each place of a batch, -1 where none does."""
    index = np.full(shape, NO_HINT, dtype=np.int64)
    index[:, instruction] = np.arange(instruction.stop - instruction.start)
    return index


def padded(rows: Iterable[npt.NDArray[np.generic]], value: int | bool) -> npt.NDArray[np.generic]:
    """The rows as one array `[rows, longest]`, filled up on the right with `value`."""
    listed = list(rows)
    # At least one column: attention over no key at all has no meaning, even where its result is not used.
    padded = np.full((len(listed), max(1, *(len(row) for row in listed))), value)
    for i, row in enumerate(listed):
        padded[i, : len(row)] = row
    return padded
