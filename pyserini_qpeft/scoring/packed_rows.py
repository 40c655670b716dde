"""Pairs that share a passage in one row, so that the passage is read once for all of them; where a model allows it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.likelihood import query_likelihood
from pyserini_qpeft.scoring.batch import Row, collate
from pyserini_qpeft.scoring.passage_cache import why_not_cached
from pyserini_qpeft.scoring.sequences import PairSequence

_FOLLOWING_TOKENS = 512
"""A row takes pairs up to so many tokens behind its passage: attention computes what they hide from each other too."""

_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_ROUGH_TOLERANCE = 0.1


def pack(sequences: Sequence[PairSequence], rows: Iterable[int]) -> list[list[int]]:
    """Puts sequences with the same context into rows, in the order in which contexts occur.

    Args:
        sequences: All pairs.
        rows: Those of them that are to be packed.
    """
    packed: list[list[int]] = []
    open_rows: dict[int, tuple[list[int], int]] = {}
    for i in rows:
        sequence = sequences[i]
        key, length = id(sequence.context_ids), len(sequence.following)
        row, taken = open_rows.get(key, ([], _FOLLOWING_TOKENS))
        if taken + length > _FOLLOWING_TOKENS:
            row, taken = [], 0
            packed.append(row)
        row.append(i)
        open_rows[key] = row, taken + length
    return packed


def why_not_packed(model: Any, adapter: QPeftConfig | None) -> str | None:
    """Why pairs of a passage cannot stand in one row; None where the model itself has shown that they can.

    Args:
        model: The base model, which reads packed and separate tokens for comparison.
        adapter: The active Q-PEFT adapter's settings, or None.
    """
    reason = why_not_cached(model, adapter)
    if reason is not None:
        return reason
    if model.config._attn_implementation not in ("sdpa", "eager"):
        return f"its attention ({model.config._attn_implementation}) takes no mask of its own"
    dtype = model.get_input_embeddings().weight.dtype
    try:
        exact = not getattr(model, "is_quantized", False)
        shown = _shown(model, _TOLERANCE.get(dtype, _ROUGH_TOLERANCE) if exact else _ROUGH_TOLERANCE)
    except (RuntimeError, TypeError, ValueError) as error:
        return f"it does not take their mask and positions ({type(error).__name__})"
    return None if shown else "it scores them otherwise than alone"


@torch.inference_mode()
def _shown(model: Any, tolerance: float) -> bool:
    """Whether a few pairs of random tokens score the same in common rows as alone."""
    embeddings = model.get_input_embeddings().weight
    ids = np.random.default_rng(0).integers(0, len(embeddings), 64)
    contexts = [ids[:9], ids[9:40]]
    # A follower and its repetition: what sees the first of them knows the second.
    rows = [[_pair(context, ids[40:48]), _pair(context, ids[40:48]), _pair(context, ids[48:])] for context in contexts]
    alone = [[pair] for row in rows for pair in row]
    packed = _scores(model, rows, packed=True)
    return bool(torch.allclose(packed, _scores(model, alone, packed=False), rtol=0, atol=tolerance))


def _scores(model: Any, rows: Sequence[Row], *, packed: bool) -> torch.Tensor:
    device = model.get_input_embeddings().weight.device
    batch = collate(rows, None, 0, slice(0), packed=packed)
    scores = query_likelihood(model, **{name: value.to(device) for name, value in batch.items()}).scores
    assert scores is not None
    return scores


def _pair(context: Any, following: Any) -> PairSequence:
    nothing = np.zeros(0, dtype=np.int64)
    similarities = nothing.astype(np.float32)
    return PairSequence(
        context, following, np.full(len(following), -1), 1, nothing, nothing, nothing, nothing, similarities, 0
    )
