"""Adds the updates of a LoRA to the weights that they change, so that the model is as fast as without the LoRA."""

from pathlib import Path
from typing import Any

from pyserini_qpeft.errors import QPeftError


def merge_lora(model: Any, folder: Path) -> None:
    """Merges the LoRA of a model.

    Nothing changes for another kind of adapter, or if weights are quantized or kept on disk. Other models that share
    the weights keep theirs. The merged weights are W + BA, rounded to the dtype of the base model (LoRA, arXiv
    2106.09685, section 4.1).

    Args:
        model: A `PeftModel` whose LoRA was just loaded.
        folder: The folder that it was loaded from.

    Raises:
        QPeftError: The merged weights are not finite.
    """
    import torch
    from peft.tuners.lora import LoraLayer, LoraModel

    if not isinstance(model.base_model, LoraModel):
        return
    layers = [layer for layer in model.base_model.modules() if isinstance(layer, LoraLayer)]
    # Quantized weights would be rounded anew, by more than the update.
    if any(not _is_plain(layer.get_base_layer()) for layer in layers):
        return
    for layer in layers:
        changed = layer.get_base_layer()
        for name, weight in list(changed.named_parameters(recurse=False)):
            setattr(changed, name, torch.nn.Parameter(weight.data, requires_grad=False))
    try:
        model.merge_adapter(safe_merge=True)
    except ValueError as error:
        raise QPeftError(f"the weights in {folder} are not all finite.") from error


def _is_plain(layer: Any) -> bool:
    import torch

    weight = getattr(layer, "weight", None)  # a module with experts has several weights
    if weight is None or weight.is_meta:  # a merged weight that was kept on disk would stay in memory
        return False
    return type(weight.data) is torch.Tensor and weight.is_floating_point()
