"""Pairs that share a passage in one row, so that the passage is read once for all of them; where a model allows it."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from pyserini_qpeft.qpeft.cached_passages import CachedPassages, read_passages
from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.likelihood import query_likelihood
from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.qpeft.tuner import NO_HINT
from pyserini_qpeft.scoring.batch import Row, collate, padded
from pyserini_qpeft.scoring.passage_cache import why_not_cached
from pyserini_qpeft.scoring.sequences import PairSequence

_FOLLOWING_TOKENS = 512
"""A row takes pairs up to so many tokens behind its passage: attention computes what they hide from each other too."""

_REACH = 1088
"""A row so long is tried before any is scored."""

_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_ROUGH_TOLERANCE = 0.1


def pack(sequences: Sequence[PairSequence], rows: Iterable[int], max_length: int) -> list[list[int]]:
    """Puts sequences that share a passage into rows, in the order in which passages occur.

    Args:
        sequences: All pairs.
        rows: Those of them that are to be packed.
        max_length: The model's longest sequence. A row is no longer than this or what `why_not_packed` tries:
            masks that a model keeps for itself may end there.
    """
    longest = max(max_length, _REACH)
    packed: list[list[int]] = []
    open_rows: dict[int, tuple[list[int], int]] = {}
    for i in rows:
        shared, length = sequences[i].shared_ids, len(sequences[i].following)
        row, taken = open_rows.get(id(shared), ([], longest))
        if taken + length > min(_FOLLOWING_TOKENS, longest - len(shared)):
            row, taken = [], 0
            packed.append(row)
        row.append(i)
        open_rows[id(shared)] = row, taken + length
    return packed


def why_not_packed(model: Any, adapter: QPeftConfig | None, max_length: int) -> str | None:
    """Why pairs of a passage cannot stand in one row; None where the model itself has shown that they can.

    Args:
        model: The base model, which reads packed and separate tokens for comparison.
        adapter: The active Q-PEFT adapter's settings, or None.
        max_length: The model's longest sequence, in tokens.
    """
    try:
        reason = why_not_cached(model, adapter)
        if reason is not None:
            return reason
        if model.config._attn_implementation not in ("sdpa", "eager"):
            return f"its attention ({model.config._attn_implementation}) takes no mask of its own"
        matches = _packed_scores_match(model, max_length)
    except Exception as error:  # whatever a model's own code does with a mask that it does not know
        return f"it does not take their mask and positions ({type(error).__name__})"
    return None if matches else "it scores them otherwise than alone"


@torch.inference_mode()
def _packed_scores_match(model: Any, max_length: int) -> bool:
    """Whether pairs of random tokens score the same in common rows as alone, the last as far away as rows reach."""
    embeddings = model.get_input_embeddings().weight
    exact = embeddings.dtype in _TOLERANCE and not getattr(model, "is_quantized", False)
    tolerance = _TOLERANCE[embeddings.dtype] if exact else _ROUGH_TOLERANCE
    filling = max(1, min(_FOLLOWING_TOKENS, max_length - 31))
    ids = np.random.default_rng(0).integers(0, len(embeddings), 63 + filling)
    # A follower and its repetition: what sees the first of them knows the second.
    near, far = ([_pair(shared, ids[a:b]) for a, b in ((31, 39), (31, 39), (39, 63))] for shared in (ids[:9], ids[:31]))
    between = [_pair(ids[:31], ids[63:], scored=1)] * math.ceil((_REACH - 71) / filling)
    rows = [near, [far[0], *between, *far[1:]]]
    others = [0, 1, 2, 3, 4 + len(between), 5 + len(between)]
    alone = _scores(model, [[pair] for pair in (*near, *far)], packed=False)
    together = [_scores(model, rows, packed=True, after_shared=after)[others] for after in (False, True)]
    return all(torch.allclose(scores, alone, rtol=0, atol=tolerance) for scores in together)


def _scores(model: Any, rows: Sequence[Row], *, packed: bool, after_shared: bool = False) -> torch.Tensor:
    device = model.get_input_embeddings().weight.device
    batch = collate(rows, None, 0, slice(0), packed=packed, after_shared=after_shared)
    batch = {name: value.to(device) for name, value in batch.items()}
    if after_shared:
        shared = [row[0].shared_ids for row in rows]
        states = read_passages(model, input_ids=torch.from_numpy(padded(shared, 0)).to(device))
        batch["cached"] = CachedPassages(states, torch.tensor([len(ids) for ids in shared], device=device))
    scores = query_likelihood(model, **batch).scores
    assert scores is not None
    return scores


def _pair(shared: TokenIds, following: TokenIds, *, scored: int = 7) -> PairSequence:
    nothing = np.zeros(0, dtype=np.int64)
    return PairSequence(
        shared_ids=shared,
        following=following,
        hint_index=np.full(len(following), NO_HINT),
        target=len(following) - scored,
        query=nothing,
        attended=nothing,
        hint_ids=nothing,
        hint_similarities=nothing.astype(np.float32),
        tokens_cut=0,
    )
