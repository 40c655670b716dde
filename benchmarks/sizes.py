"""The models that are measured: the shipped model, a pretrained one, and larger ones with random weights."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.skipped import Skipped
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.loading import SHIPPED_MODEL
from pyserini_qpeft.models.source import find_source

VOCABULARY = 32_000


@dataclass(frozen=True, slots=True)
class Size:
    """A model to measure.

    Attributes:
        name: Name on the command line.
        pairs: Number of pairs if the command line does not give one.
        config: Returns the configuration; None is the shipped model, or the one that `model` names.
        gpu_only: Whether the model is too large for a CPU.
        model: Name of a pretrained model (`qpeft models`), or None.
    """

    name: str
    pairs: int
    config: Callable[[], Any] | None
    gpu_only: bool = False
    model: str | None = None


def _llama(width: int, inner: int, layers: int, heads: int, vocabulary: int = VOCABULARY) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def _qwen3() -> Any:
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40_960,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


SIZES = {
    size.name: size
    for size in (
        Size("tiny", 40, partial(_llama, 32, 64, 2, 4, vocabulary=8192)),
        Size("shipped", 400, None),
        Size("smollm2", 48, None, model="smollm2-135m-q4"),
        Size("llama-26m", 128, partial(_llama, 512, 1408, 8, 8)),
        Size("qwen3-0.6b", 64, _qwen3),
        Size("llama-2-7b", 2000, partial(_llama, 4096, 11_008, 32, 32), gpu_only=True),
    )
}


class ModelFolders:
    """Folders from which all ways of scoring load a model; each folder is written when it is first needed.

    Args:
        size: The model.
        dtype: Dtype of the weights.
        device: Device of the model.
        work: Parent of the folders.

    Raises:
        Skipped: The model is too large for the device.
    """

    def __init__(self, size: Size, dtype: str, device: str, work: Path) -> None:
        if size.gpu_only and not device.startswith("cuda"):
            raise Skipped(f"{size.name} is measured on a GPU only, and this machine has none")
        self.size = size
        self.dtype = dtype
        self.device = device
        self._work = work / f"{size.name}-{dtype}"

    def causal(self) -> Path:
        """Returns the folder of the causal model; one with random weights has the tokenizer of the shipped model.

        Raises:
            Skipped: The pretrained model is not installed.
        """
        if self.size.model is not None:
            try:
                return Path(find_source(self.size.model).place)
            except QPeftError as error:
                raise Skipped(str(error)) from error
        if self.size.config is None:
            return SHIPPED_MODEL
        return self._made("causal", self._new_model)

    def classifier(self, labels: int) -> Path:
        """Returns the folder of a sequence classifier with the same body and `labels` outputs."""
        return self._made(f"classifier-{labels}", lambda: self._new_classifier(labels))

    def _new_model(self) -> Any:
        from transformers import AutoModelForCausalLM

        assert self.size.config is not None
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(self.size.config(), dtype=getattr(torch, self.dtype))

    def _new_classifier(self, labels: int) -> Any:
        from transformers import AutoModelForSequenceClassification

        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_pretrained(
            self.causal(), num_labels=labels, dtype=getattr(torch, self.dtype)
        )

    def _made(self, name: str, make: Callable[[], Any]) -> Path:
        folder = self._work / name
        if not (folder / "config.json").is_file():
            make().save_pretrained(folder)
            tokenizer = SHIPPED_MODEL if self.size.model is None else self.causal()
            for file in tokenizer.glob("tokenizer*"):
                shutil.copy(file, folder)
        return folder
