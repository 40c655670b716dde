"""The shipped model: the plain model, trained to predict the queries of a passage and to distinguish similar passages.

First lesson (`copying`): mean -log p per token of many queries of each passage. Second lesson (`ranking`): the same
for a passage's own queries, plus contrast * mean over queries of -log softmax(scale * mean log-likelihood)[own
passage], over the passages of a group. Third lesson (`answering`): the same with real questions and larger groups.

Run: `python -m recipes.base_model.shipped --work FOLDER` after `plain` and `pairs`. An interrupted run is resumed by
the same command.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from recipes.base_model.batches import Batch, Row, batches, cue_tokens, for_copying, for_ranking, tokenize
from recipes.base_model.config import SETTINGS, LessonConfig, PairsConfig, RecipeConfig
from recipes.base_model.export import save
from recipes.base_model.loop import train
from recipes.base_model.model import mixed_precision
from recipes.base_model.pairs import PAIRS, QUESTIONS, read_pairs

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)


def log_likelihoods(model: LlamaForCausalLM, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Scores every query of every row.

    Returns:
        Mean log-likelihood per query token, float32 [rows, columns], 0 if a row has no such query; the
        log-likelihood of every query token and EOS, float32 [tokens]; the cell (row * columns + column) of each.
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
    cells = len(ids) * batch.columns
    content = scored[rows, places].float()
    total = torch.zeros(cells).index_add(0, cell, log_p * content)
    count = torch.zeros(cells).index_add(0, cell, content)
    means = (total / count.clamp(min=1)).view(len(ids), batch.columns)
    return means, log_p, cell


def copying_loss(model: LlamaForCausalLM, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Returns the mean negative log-likelihood per token of all queries, EOS included."""
    _, log_p, _ = log_likelihoods(model, batch)
    return -log_p.mean(), {"tokens": int((batch.segments >= 0).sum())}


def ranking_loss(
    model: LlamaForCausalLM, batch: Batch, group: int, config: LessonConfig
) -> tuple[Tensor, dict[str, float]]:
    """Returns the loss of groups, and its parts: `nll` per token of own queries, `contrast`, `accuracy`."""
    import torch
    import torch.nn.functional as F

    means, log_p, cell = log_likelihoods(model, batch)
    columns = batch.columns
    own_row = torch.arange(columns) // config.own
    row, column = cell // columns, cell % columns
    nll = -log_p[own_row[column] == row % group].mean()
    # The softmax of a query (column) is over the passages (rows) of its group.
    rivals = config.contrast_scale * means.view(-1, group, columns).transpose(1, 2).reshape(-1, group)
    target = own_row.repeat(len(means) // group)
    contrast = F.cross_entropy(rivals, target)
    accuracy = (rivals.argmax(1) == target).float().mean()
    figures = {"nll": nll.item(), "contrast": contrast.item(), "accuracy": accuracy.item()}
    return nll + config.contrast * contrast, figures | {"tokens": int((batch.segments >= 0).sum())}


def train_shipped(
    model: LlamaForCausalLM,
    groups: Sequence[Sequence[Row]],
    asked: Sequence[Sequence[Row]],
    tokenizer: PreTrainedTokenizerFast,
    config: RecipeConfig,
    folder: Path,
) -> None:
    """Trains `model` in three lessons, and logs the seconds of each.

    Args:
        model: The plain model; changed in place.
        groups: Training data of `copying` and, in reverse order, of `ranking`.
        asked: Training data of `answering`.
        tokenizer: The tokenizer of the model.
        config: The recipe.
        folder: Parent of the folders with the log and the checkpoint of each lesson.
    """
    cue, pad = cue_tokens(tokenizer), tokenizer.pad_token_id

    def lesson(units: Sequence[list[Row]], pairs: PairsConfig, settings: LessonConfig, name: str) -> None:
        plan = list(batches(units, pairs.batch_tokens, cue, pad))
        logger.info("%s: %d batches", name, len(plan))

        def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
            batch = plan[step % len(plan)]
            if settings.contrast:
                return ranking_loss(model, batch, pairs.group, settings)
            return copying_loss(model, batch)

        logger.info("%s: %.0f s", name, train(model, loss_at, settings.optimizer, folder / name))

    random = Random(config.seed)
    rows = list(for_copying(groups, config.copying.own, random))
    random.shuffle(rows)
    lesson(rows, config.pairs, config.copying, "copying-training")
    ranked = list(for_ranking(groups[::-1], config.ranking.own, random))
    lesson(ranked, config.pairs, config.ranking, "ranking-training")
    answered = list(for_ranking(asked, config.answering.own, random))
    lesson(answered, config.questions, config.answering, "answering-training")


def main() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="the folder that holds plain/ and the pairs")
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = RecipeConfig.read(arguments.settings)

    import torch

    tokenizer = AutoTokenizer.from_pretrained(arguments.work / "plain")
    groups, asked = (
        tokenize(list(read_pairs(arguments.work / name)), tokenizer, pairs.passage_tokens, Random(config.seed))
        for name, pairs in ((PAIRS, config.pairs), (QUESTIONS, config.questions))
    )
    model = AutoModelForCausalLM.from_pretrained(arguments.work / "plain", dtype=torch.float32)
    train_shipped(model, groups, asked, tokenizer, config, arguments.work)
    save(model, tokenizer, arguments.work / "shipped")


if __name__ == "__main__":
    main()
