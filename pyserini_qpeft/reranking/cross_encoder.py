"""The calls of sentence-transformers' `CrossEncoder`, so that a reranker can stand where one is expected."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from pyserini_qpeft.checks import check_whole
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.requests import as_pairs, read_pairs

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """The keyword arguments that `predict` and `rank` share with those of `CrossEncoder`.

    Attributes:
        activation_fn: Is applied to the tensor of likelihoods, for example `torch.exp` for scores from 0 to 1.
        convert_to_numpy: Return a numpy array; if false, a list of tensors.
        convert_to_tensor: Return one tensor; comes before `convert_to_numpy`.
        device: None, or the device that the model is on.
        sentences: The older name of `inputs`.
        prompt: Must be None: the wording belongs to the model's template.
        prompt_name: Must be None, likewise.
        pool: Must be None: one process scores.
        apply_softmax: No effect, because a pair has one score.
        chunk_size: No effect.
        num_workers: No effect.

    Raises:
        QPeftError: A prompt or a pool is given.
    """

    activation_fn: "Callable[[torch.Tensor], torch.Tensor] | None" = None
    convert_to_numpy: bool = True
    convert_to_tensor: bool = False
    device: Any = None
    sentences: Any = None
    prompt: str | None = None
    prompt_name: str | None = None
    pool: Any = None
    apply_softmax: bool | None = False
    chunk_size: int | None = None
    num_workers: int = 0

    def __post_init__(self) -> None:
        if self.prompt is not None or self.prompt_name is not None:
            raise QPeftError(
                "a prompt cannot be given for one call: the wording is the adapter's, or the template of "
                "QPeftReranker.from_pretrained(template=...)."
            )
        if self.pool is not None:
            raise QPeftError("pool has no meaning here: one process scores, and its batches fill the device.")

    def check_device(self, own: Any) -> None:
        """Refuse a device that the model is not on.

        Args:
            own: The device of the model.

        Raises:
            QPeftError: `device` is another device, or a list of devices.
        """
        if self.device is not None and str(self.device) not in (str(own), str(own).partition(":")[0]):
            raise QPeftError(
                f"the model is on {own} and is not moved to {self.device}: choose the device when it is loaded, "
                "QPeftReranker.from_pretrained(device=...)."
            )

    def converted(self, scores: npt.NDArray[np.float32]) -> Any:
        """The scores after the activation function, as an array, a tensor or a list of tensors."""
        if self.activation_fn is None and self.convert_to_numpy and not self.convert_to_tensor:
            return scores
        import torch

        tensor = torch.from_numpy(scores)
        if self.activation_fn is not None:
            tensor = self.activation_fn(tensor)
        if self.convert_to_tensor:
            return tensor
        return tensor.float().cpu().numpy() if self.convert_to_numpy else list(tensor)


class ModelCardData:
    """Keeps the figures that an evaluator of sentence-transformers hands to a model.

    Attributes:
        metrics: The last value of each figure, by name.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}

    def set_evaluation_metrics(self, evaluator: Any, metrics: Mapping[str, Any], epoch: int = 0, step: int = 0) -> None:
        """Keep the figures of one evaluation."""
        self.metrics.update(metrics)


class CrossEncoderCalls(ABC):
    """`predict` and `rank` as `CrossEncoder` has them, with likelihoods as scores."""

    scorer: Any

    @abstractmethod
    def _score(self, pairs: list[tuple[str, str]], *, progress: bool = False) -> npt.NDArray[np.float32]: ...

    @overload
    def predict(
        self, inputs: tuple[str, str] | list[str], batch_size: int | None = None, show_progress_bar: bool | None = None
    ) -> np.float32: ...

    @overload
    def predict(
        self,
        inputs: "Sequence[tuple[str, str] | list[str]] | npt.NDArray[Any]",
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
    ) -> npt.NDArray[np.float32]: ...

    @overload
    def predict(
        self, inputs: Any = None, batch_size: int | None = None, show_progress_bar: bool | None = None, **options: Any
    ) -> Any: ...

    def predict(
        self, inputs: Any = None, batch_size: int | None = None, show_progress_bar: bool | None = None, **options: Any
    ) -> Any:
        """Likelihoods of (query, text) pairs, called as sentence-transformers' `CrossEncoder.predict` is.

        They are mean log-probabilities, at most 0, where the default of many cross-encoders is a number from 0 to 1;
        `activation_fn=torch.exp` gives such numbers, in the same order.

        Args:
            inputs: Pairs, as tuples or lists, or an array `[pairs, 2]`; or a single pair.
            batch_size: No effect: batches are planned by tokens.
            show_progress_bar: Whether a progress bar is shown.
            **options: See `PredictOptions`.

        Returns:
            float32 of shape `[pairs]`; for a single pair its likelihood alone.

        Raises:
            QPeftError: A pair is not two strings (its place is named), or an option cannot be followed.
            TypeError: There is no such option.
        """
        chosen = self._options(options)
        pairs, single = read_pairs(chosen.sentences if inputs is None else inputs)
        scores = chosen.converted(self._score(pairs, progress=bool(show_progress_bar)))
        return scores[0] if single else scores

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """Rank texts for a query, called as sentence-transformers' `CrossEncoder.rank` is.

        Args:
            query: The query.
            documents: The texts.
            top_k: How many are returned; None is all.
            return_documents: Whether each result has its text.
            batch_size: No effect: batches are planned by tokens.
            show_progress_bar: Whether a progress bar is shown.
            **options: See `PredictOptions`.

        Returns:
            A dict for each text, best first: `corpus_id` (its place in `documents`, from 0), `score`, and `text` if
            asked for. Equal scores keep the order of `documents`.

        Raises:
            QPeftError: The query or a text is not a string, `top_k` is negative, or an option cannot be followed.
            TypeError: There is no such option.
        """
        check_whole(top_k, "top_k", 0)
        chosen = self._options({**options, "convert_to_numpy": True, "convert_to_tensor": False})
        pairs = as_pairs(query, documents)
        scores = chosen.converted(self._score(pairs, progress=bool(show_progress_bar)))
        order = np.argsort(-scores, kind="stable")[:top_k].tolist()
        ranked: list[dict[str, Any]] = [{"corpus_id": place, "score": float(scores[place])} for place in order]
        if return_documents:
            for result in ranked:
                result["text"] = pairs[result["corpus_id"]][1]
        return ranked

    @cached_property
    def model_card_data(self) -> ModelCardData:
        """The figures of sentence-transformers' evaluators that were run on this reranker."""
        return ModelCardData()

    def _options(self, given: Mapping[str, Any]) -> PredictOptions:
        options = PredictOptions(**given)
        options.check_device(self.scorer.device)
        return options
