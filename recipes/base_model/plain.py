"""The plain model: next-token prediction on running text, without questions.

Run: `python -m recipes.base_model.plain --shared ../shared --work FOLDER`. An interrupted run is resumed by the same
command.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recipes.base_model.config import SETTINGS, RecipeConfig
from recipes.base_model.export import save
from recipes.base_model.loop import train
from recipes.base_model.model import mixed_precision, new_model
from recipes.base_model.text import documents
from recipes.base_model.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)


def windows(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, size: int, seed: int) -> NDArray[np.uint16]:
    """Joins the texts with EOS and cuts them into windows of `size` tokens, in random order, each with BOS first."""
    stream: list[NDArray[np.uint16]] = []
    for start in range(0, len(texts), 1000):
        encoded = tokenizer(list(texts[start : start + 1000]), add_special_tokens=False, verbose=False)["input_ids"]
        stream += [np.array([*ids, tokenizer.eos_token_id], dtype=np.uint16) for ids in encoded]
    joined = np.concatenate(stream)
    count = len(joined) // (size - 1)
    body = joined[: count * (size - 1)].reshape(count, size - 1)
    first = np.full((count, 1), tokenizer.bos_token_id, dtype=np.uint16)
    return np.random.default_rng(seed).permutation(np.concatenate([first, body], axis=1))


def head(texts: Sequence[str], characters: int) -> Iterator[str]:
    """Yields the first texts, with about `characters` characters in total."""
    for text in texts:
        if characters <= 0:
            return
        characters -= len(text)
        yield text


def train_plain(
    model: LlamaForCausalLM, corpus: NDArray[np.uint16], config: RecipeConfig, folder: Path, *, compiled: bool = True
) -> float:
    """Trains `model` on the windows in order, again from the first if needed, and returns the seconds of training."""
    import torch
    import torch.nn.functional as F

    batch = config.plain.batch

    def loss_of(ids: Tensor) -> Tensor:
        states = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(states[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())

    # Compiling body, head and loss together is a quarter faster than compiling the body alone.
    fast_loss = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
        rows = np.arange(step * batch, (step + 1) * batch) % len(corpus)
        ids = torch.from_numpy(corpus[rows].astype(np.int64))
        # Outside the compiled function, because the question about the processor would break its graph.
        with mixed_precision():
            return fast_loss(ids), {"tokens": ids.numel()}

    return train(model, loss_at, config.plain.optimizer, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, required=True, help="folder for the tokenizer, checkpoints and log")
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = RecipeConfig.read(arguments.settings)

    texts = documents(arguments.shared, config.plain.characters, config.seed)
    logger.info("%d documents, %d characters", len(texts), sum(map(len, texts)))
    sample = head(texts, config.plain.tokenizer_characters)
    tokenizer = train_tokenizer(sample, config.model.vocabulary, config.model.positions)
    tokenizer.save_pretrained(arguments.work / "tokenizer")
    corpus = windows(texts, tokenizer, config.plain.window, config.seed)
    logger.info("%d windows of %d tokens", *corpus.shape)
    model = new_model(config.model, tokenizer, config.seed)
    seconds = train_plain(model, corpus, config, arguments.work / "plain-training")
    logger.info("trained in %.0f s", seconds)
    save(model, tokenizer, arguments.work / "plain")


if __name__ == "__main__":
    main()
