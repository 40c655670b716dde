"""Writes a base model for shipping: bfloat16 safetensors, configuration, tokenizer.

Run: `python -m recipes.base_model.export --work FOLDER --training shipped-training --output FOLDER`. It reads
the last checkpoint, so it also works during training.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.base_model.config import SETTINGS, RecipeConfig
from recipes.base_model.loop import CHECKPOINT
from recipes.base_model.model import new_model

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the files that `from_pretrained` needs, with weights in bfloat16; `model` itself is not changed."""
    import copy

    import torch

    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    import torch
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--training", default="shipped-training", help="the folder in --work that has a checkpoint")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    arguments = parser.parse_args()
    config = RecipeConfig.read(arguments.settings)

    tokenizer = AutoTokenizer.from_pretrained(arguments.work / "tokenizer")
    model = new_model(config.model, tokenizer, config.seed)
    state = torch.load(arguments.work / arguments.training / CHECKPOINT, weights_only=True)
    model.load_state_dict(state["model"])
    save(model, tokenizer, arguments.output)


if __name__ == "__main__":
    main()
