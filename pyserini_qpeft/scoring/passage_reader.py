"""The reading of passages by a model: token ids to key-values that a cache can keep."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyserini_qpeft.qpeft.template import TokenIds
from pyserini_qpeft.scoring.batch import padded
from pyserini_qpeft.scoring.config import CacheDtype
from pyserini_qpeft.scoring.key_values import KeyValueLayout, KeyValues
from pyserini_qpeft.scoring.model_fingerprint import model_fingerprint
from pyserini_qpeft.scoring.pair_model import PairModel
from pyserini_qpeft.scoring.row_length import RowLength, row_multiple
from pyserini_qpeft.scoring.sequences import SequenceBuilder


@dataclass(frozen=True, eq=False)
class PassageReader:
    """Reads passages with a model.

    Attributes:
        model: The model.
        builder: The builder of the sequences, which knows the padding id and the place of the instruction.
        layout: What the key-values of all passages have in common.
        fingerprint: `model_fingerprint` of the model. Readers that have the same one may share a cache.
    """

    model: PairModel
    builder: SequenceBuilder
    layout: KeyValueLayout
    fingerprint: str

    @classmethod
    def of(cls, model: PairModel, builder: SequenceBuilder, kept_as: CacheDtype) -> "PassageReader":
        """The reader of a model. The model reads the instruction once, which shows the layout of its key-values."""
        states = model.read_passages(builder.head[None], builder.instruction)
        return cls(model, builder, KeyValueLayout.of(states, kept_as), model_fingerprint(model.model))

    def read(self, passages: Sequence[TokenIds]) -> dict[bytes, KeyValues]:
        """Runs the model over passages as one batch. Hold the lock of the token budget.

        Args:
            passages: Their token ids.

        Returns:
            Their key-values by the bytes of their token ids.
        """
        ids = padded(passages, self.builder.padding_id, self._length()).astype(np.int64)
        states = self.model.read_passages(ids, self.builder.instruction)
        # Copies, so that no passage keeps the memory of the whole batch.
        return {ids.tobytes(): self.layout.keep(states[:, :, i, :, : len(ids)]) for i, ids in enumerate(passages)}

    def lengths(self, passages: Sequence[TokenIds]) -> list[int]:
        """The tokens that each passage takes in a batch, padding to the multiple included."""
        length = self._length()
        return [length.of(len(ids)) for ids in passages]

    def _length(self) -> RowLength:
        return RowLength(row_multiple(self.model.model.get_input_embeddings().weight), self.builder.max_length)
