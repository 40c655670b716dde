"""The packing decision: which pairs stand in one row of a batch."""

import logging
import threading
from collections.abc import Sequence

from pyserini_qpeft.errors import QPeftError
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
        self._tried = False
        self._reason: str | None = None
        adapter = model.adapter
        self._gated = adapter is not None and adapter.hint_gate is not None

    @property
    def packs(self) -> bool:
        """Whether pairs are packed. The first answer takes some forward passes (`why_not_packed`)."""
        if not self.config.share_passages or (self.model.adapter_disabled and not self._gated):
            return False
        return self._why_not() is None

    @property
    def packs_all(self) -> bool:
        """Whether a row of one pair is passed to the model as a packed row too.

        A gate needs the mask of packed rows. And compiled code is compiled again for arguments of another form, which
        costs more than it saves.

        Raises:
            QPeftError: If the adapter has a gate and the model does not take such a mask.
        """
        if self._gated and (reason := self._why_not()) is not None:
            raise QPeftError(f"an adapter with hint_gate cannot be used on this model: {reason}.")
        return self._gated or (self.config.compile and self.packs)

    def _why_not(self) -> str | None:
        with self._lock:
            if not self._tried:
                self._reason = why_not_packed(self.model.causal_model, self.model.adapter, self.max_length)
                if self._reason is not None:
                    logger.info("each pair reads its passage separately: %s", self._reason)
                self._tried = True
            return self._reason

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
