"""The shipped base: the plain one taught to give a passage's queries, and to tell the passages of a group apart.

loss = mean -log p(token) over each passage's own queries (with their EOS)
       + contrast * mean over queries of -log softmax(scale * mean log-likelihood)[own passage], over the group.

Run: `python -m recipes.base_model.shipped --work FOLDER` after `plain` and `pairs`; run again, it goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from recipes.base_model.batches import Batch, batches, tokenize
from recipes.base_model.config import SETTINGS, PairsConfig, RecipeConfig
from recipes.base_model.export import save
from recipes.base_model.loop import train
from recipes.base_model.model import mixed_precision
from recipes.base_model.pairs import read_pairs

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM

logger = logging.getLogger(__name__)


def log_likelihoods(model: LlamaForCausalLM, batch: Batch) -> tuple[Tensor, Tensor]:
    """Scores every query of every row.

    Returns:
        Mean log-likelihood per query token, float32 [rows, columns], and the mean over query tokens and EOS.
    """
    import torch
    import torch.nn.functional as F

    ids, positions, segments = map(torch.from_numpy, (batch.ids, batch.positions, batch.segments))
    length = ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    sees = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    mask = torch.zeros(len(ids), 1, length, length).masked_fill(~(sees & causal)[:, None], float("-inf"))
    scored, ends = torch.from_numpy(batch.scored), torch.from_numpy(batch.ends)
    rows, places = torch.nonzero(scored | ends, as_tuple=True)
    with mixed_precision():
        states = model.model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
        logits = model.lm_head(states.last_hidden_state[rows, places - 1])
    log_p = -F.cross_entropy(logits.float(), ids[rows, places], reduction="none")
    cell = rows * batch.columns + segments[rows, places] - 1
    content = scored[rows, places].float()
    cells = len(ids) * batch.columns
    total = torch.zeros(cells).index_add(0, cell, log_p * content)
    count = torch.zeros(cells).index_add(0, cell, content)
    total_all = torch.zeros(cells).index_add(0, cell, log_p)
    count_all = torch.zeros(cells).index_add(0, cell, torch.ones_like(log_p))
    shape = (len(ids), batch.columns)
    return (total / count.clamp(min=1)).view(shape), (total_all / count_all.clamp(min=1)).view(shape)


def pair_loss(model: LlamaForCausalLM, batch: Batch, config: PairsConfig) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, and its parts: `nll` per token of own queries, `contrast`, `accuracy` of the ranking."""
    import torch
    import torch.nn.functional as F

    means, with_end = log_likelihoods(model, batch)
    size, columns = config.group, batch.columns
    grid = means.view(-1, size, columns)
    own = torch.arange(columns) // config.queries
    nll = -with_end.view(-1, size, columns).gather(1, own.expand(len(grid), 1, columns)).mean()
    # For each query (column) the passages (rows) of its group compete.
    logits = config.contrast_scale * grid.transpose(1, 2).reshape(-1, size)
    target = own.repeat(len(grid))
    contrast = F.cross_entropy(logits, target)
    accuracy = (logits.argmax(1) == target).float().mean()
    figures = {"nll": nll.item(), "contrast": contrast.item(), "accuracy": accuracy.item()}
    return nll + config.contrast * contrast, figures | {"tokens": int((batch.segments >= 0).sum())}


def train_shipped(model: LlamaForCausalLM, plan: Sequence[Batch], config: PairsConfig, folder: Path) -> float:
    """Trains `model` on the batches in their order, over again when they run out. Returns the seconds it took."""
    return train(model, lambda step: pair_loss(model, plan[step % len(plan)], config), config.optimizer, folder)


def main() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="the folder that holds plain/ and pairs.jsonl.gz")
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = RecipeConfig.read(arguments.settings)

    import torch

    tokenizer = AutoTokenizer.from_pretrained(arguments.work / "plain")
    groups = tokenize(
        list(read_pairs(arguments.work / "pairs.jsonl.gz")), tokenizer, config.pairs.passage_tokens, Random(config.seed)
    )
    cue = len(tokenizer("Question:", add_special_tokens=False)["input_ids"])
    plan = list(batches(groups, config.pairs, cue, tokenizer.pad_token_id, config.seed))
    logger.info("%d groups in %d batches", len(groups), len(plan))
    model = AutoModelForCausalLM.from_pretrained(arguments.work / "plain", dtype=torch.float32)
    seconds = train_shipped(model, plan, config.pairs, arguments.work / "shipped-training")
    logger.info("trained in %.0f s", seconds)
    save(model, tokenizer, arguments.work / "shipped")


if __name__ == "__main__":
    main()
