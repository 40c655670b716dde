"""mteb's ``CrossEncoderProtocol``, for ``mteb.evaluate`` on tasks that have first-stage rankings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.interop import needs

if TYPE_CHECKING:
    from mteb.models.model_meta import ModelMeta

    from pyserini_qpeft.reranking.reranker import QPeftReranker


class MtebCrossEncoder:
    """A model for ``mteb.evaluate``. It ranks by the likelihood.

    Args:
        reranker: Scores the passages.
        name: The name under which mteb stores results, as organisation/model. The default is the model's hub id, or
            "pyserini-qpeft/" and the last part of its name or folder.
        revision: The revision under which mteb stores results; name the adapter here if you compare several.
    """

    def __init__(self, reranker: "QPeftReranker", name: str | None = None, revision: str | None = None) -> None:
        self.reranker = reranker
        self.name = name or _hub_id(str(getattr(reranker.scorer.model.config, "name_or_path", "")))
        self.revision = revision

    @property
    def mteb_model_meta(self) -> "ModelMeta":
        """What mteb stores about the model."""
        with needs("mteb"):
            from mteb.models.model_meta import ModelMeta

        about = {
            "name": self.name,
            "revision": self.revision,
            "model_type": ["cross-encoder"],
            "framework": ["PyTorch"],
        }
        return ModelMeta.create_empty(overwrites=about)

    def predict(
        self,
        inputs1: Iterable[Mapping[str, Sequence[str]]],
        inputs2: Iterable[Mapping[str, Sequence[str]]],
        **_: Any,
    ) -> npt.NDArray[np.float32]:
        """Likelihoods of pairs of a query and a passage.

        Args:
            inputs1: Batches with the queries under "text".
            inputs2: Batches with the passages under "text".
            **_: mteb's other arguments (task, split, prompt type, batch size) have no effect.

        Returns:
            float32 of shape `[pairs]`, in the order of the inputs.

        Raises:
            ValueError: There are more queries than passages, or fewer.
        """
        return np.asarray(self.reranker.predict(list(zip(_texts(inputs1), _texts(inputs2), strict=True))))


def _texts(batches: Iterable[Mapping[str, Sequence[str]]]) -> list[str]:
    return [text for batch in batches for text in batch["text"]]


def _hub_id(name: str) -> str:
    """A name of the form that mteb asks for."""
    return name if name.count("/") == 1 and not Path(name).exists() else f"pyserini-qpeft/{Path(name).name or 'model'}"
