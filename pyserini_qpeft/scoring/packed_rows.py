"""Packing: pairs that share a passage stand in one row, so that the model reads the passage once for all of them."""

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
"""The most tokens after the passage in a row of several pairs. Attention is computed between the pairs too, and masked,
so longer rows cost more than they save."""

_REACH = 1088
"""The length of the longest row that is tried before rows are packed, in tokens."""

_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_ROUGH_TOLERANCE = 0.1


def pack(sequences: Sequence[PairSequence], rows: Iterable[int], max_length: int) -> list[list[int]]:
    """Puts sequences that share a passage into rows, in the order in which passages occur.

    Args:
        sequences: All pairs.
        rows: Indices of the pairs to pack.
        max_length: The longest sequence of the model, in tokens. No row is longer than this, or than the rows that
            `why_not_packed` tries: a model's own masks may end there.

    Returns:
        The rows, each a list of indices into `sequences`.
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
    """Why a model cannot score packed pairs, as half a sentence; None if it can.

    Few models say whether they follow a mask and positions from outside. So random tokens are scored both ways, packed
    and each pair in its own row: a model that gives the same scores can be trusted with packed rows.

    Args:
        model: The base model.
        adapter: The settings of the active Q-PEFT adapter, or None.
        max_length: The longest sequence of the model, in tokens.
    """
    try:
        reason = why_not_cached(model, adapter)
        if reason is not None:
            return reason
        if model.config._attn_implementation not in ("sdpa", "eager"):
            return f"its attention ({model.config._attn_implementation}) does not take a mask"
        matches = _packed_scores_match(model, max_length)
    except Exception as error:  # a model's own code may fail in any way on a mask that it does not expect
        return f"it does not take the mask and positions of packed pairs ({type(error).__name__})"
    return None if matches else "it gives packed pairs other scores than the same pairs in rows of their own"


@torch.inference_mode()
def _packed_scores_match(model: Any, max_length: int) -> bool:
    """Whether pairs of random tokens get the same scores packed as alone, up to the longest row that `pack` makes."""
    embeddings = model.get_input_embeddings().weight
    exact = embeddings.dtype in _TOLERANCE and not getattr(model, "is_quantized", False)
    tolerance = _TOLERANCE[embeddings.dtype] if exact else _ROUGH_TOLERANCE
    filling = max(1, min(_FOLLOWING_TOKENS, max_length - 31))
    ids = np.random.default_rng(0).integers(0, len(embeddings), 63 + filling)
    # One pair twice: a pair that wrongly sees its copy would score far too well.
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
        instruction_index=np.full(len(following), NO_HINT),
        places=np.arange(len(following)),
        target=len(following) - scored,
        query=nothing,
        attended=nothing,
        hint_ids=nothing,
        hint_similarities=nothing.astype(np.float32),
        tokens_cut=0,
    )
