"""The packing decision: which pairs stand in one row of a batch."""

import logging
import threading
from collections.abc import Sequence

from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.scoring.packed_rows import pack, why_not_packed
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.sequences import PairSequence

logger = logging.getLogger(__name__)


class RowPlanner:
    """Packs pairs that share a passage into one row, if the model gives them the same scores as pairs in rows alone.

    Args:
        model: The model.
        config: Packing needs `share_passages`; with `compile` every row has the form of a packed one.
        max_length: The longest sequence of the model, in tokens.
    """

    def __init__(self, model: PairModel, config: ScoringConfig, max_length: int) -> None:
        self.model = model
        self.config = config
        self.max_length = max_length
        self._lock = threading.Lock()
        self._packs: bool | None = None

    @property
    def packs(self) -> bool:
        """Whether pairs are packed. The first answer takes some forward passes (`why_not_packed`)."""
        if self.model.adapter_disabled or not self.config.share_passages:
            return False
        with self._lock:
            if self._packs is None:
                reason = why_not_packed(self.model.causal_model, self.model.adapter, self.max_length)
                if reason is not None:
                    logger.info("each pair reads its passage separately: %s", reason)
                self._packs = reason is None
            return self._packs

    @property
    def packs_all(self) -> bool:
        """Whether a row of one pair is passed to the model as a packed row too.

        Compiled code is compiled again for arguments of another form, which costs more than it saves.
        """
        return self.config.compile and self.packs

    def rows(self, sequences: Sequence[PairSequence]) -> list[list[list[int]]]:
        """Plans the rows.

        Args:
            sequences: The pairs; those of one passage have the same `shared_ids` array.

        Returns:
            Groups of rows that must not be mixed in a batch; each row lists its pairs by their index in `sequences`.
        """
        single = [[i] for i in range(len(sequences))]
        rows = pack(sequences, range(len(sequences)), self.max_length)
        # `packs` last, since its first answer costs forward passes.
        if (len(rows) == len(sequences) and not self.config.compile) or not self.packs:
            return [single]
        if self.packs_all:
            return [rows]
        # Attention is faster without a mask, and a row of one pair needs none.
        return [[row for row in rows if len(row) == 1], [row for row in rows if len(row) > 1]]
