from contextlib import nullcontext
from random import Random

import numpy as np
import pytest
import torch

from recipes.base_model import shipped
from recipes.base_model.batches import (
    INSTRUCTION,
    batches,
    collate,
    cue_tokens,
    for_copying,
    for_ranking,
    tokenize,
)
from recipes.base_model.config import LessonConfig, ModelConfig
from recipes.base_model.model import new_model
from recipes.base_model.pairs import Pair
from recipes.base_model.shipped import copying_loss, log_likelihoods, ranking_loss
from recipes.base_model.tokenizer import train_tokenizer

TEXTS = [
    "The kiln is fired at night, and clay hardens above 900 degrees.",
    "Ships unload grain; the keeper counts masts.\nPilots know every sandbank.",
    "Pruning takes all winter, and old pear trees bear fruit late in the year, if at all.",
    "Compositors set each letter by hand.",
]
GROUP = [Pair(text, (f"what about {text.split()[1]}", text.split()[-1]), ("reshaped", "keywords")) for text in TEXTS]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 400, 256)


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """Some processors train in bfloat16, which is too coarse to compare scores in."""
    monkeypatch.setattr(shipped, "mixed_precision", nullcontext)


@pytest.fixture(scope="module")
def model(tokenizer):
    shape = ModelConfig(width=32, layers=2, heads=4, key_value_heads=2, intermediate=48, positions=256)
    return new_model(shape, tokenizer, seed=1).eval()


def one_at_a_time(model, tokenizer, passage, query):
    """The score by its definition: one prompt, one query, no padding, no mask."""
    whole = tokenizer(f"{INSTRUCTION}\nPassage: {passage}\nQuestion: {query}", return_tensors="pt")["input_ids"]
    start = len(tokenizer(f"{INSTRUCTION}\nPassage: {passage}\nQuestion:")["input_ids"])
    with torch.no_grad():
        log_p = model(whole).logits.log_softmax(-1)[0]
    return np.mean([log_p[at - 1, whole[0, at]].item() for at in range(start, whole.shape[1])])


def batch_of(units, tokenizer, extra=0):
    rows = [row for unit in units for row in unit]
    return collate(rows, cue_tokens(tokenizer), tokenizer.pad_token_id, max(row.length for row in rows) + extra)


def test_queries_side_by_side_score_as_each_alone(model, tokenizer):
    units = list(for_ranking(tokenize([GROUP], tokenizer, (200,), Random(1)), 2, Random(1)))
    with torch.no_grad():
        scores, _, _ = log_likelihoods(model, batch_of(units, tokenizer, extra=5))
    queries = [tokenizer.decode(query[cue_tokens(tokenizer) : -1]).strip() for query in units[0][0].queries]
    assert sorted(queries) == sorted(query.lower() for pair in GROUP for query in pair.queries)
    for row, pair in enumerate(GROUP):
        for column, query in enumerate(queries):
            alone = one_at_a_time(model, tokenizer, pair.passage, query)
            assert scores[row, column].item() == pytest.approx(alone, abs=1e-5)


def test_the_copying_loss_is_the_mean_over_tokens_however_many_queries_a_row_has(model, tokenizer):
    uneven = [GROUP[0], Pair(TEXTS[1], ("masts",), ("keywords",))]
    units = list(for_copying(tokenize([uneven], tokenizer, (200,), Random(1)), 8, Random(1)))
    expected = []
    for (row,) in units:
        for query in row.queries:
            ids = torch.tensor([[*row.prompt, *query]])
            with torch.no_grad():
                log_p = model(ids).logits.log_softmax(-1)[0]
            first = len(row.prompt) + cue_tokens(tokenizer)
            expected += [log_p[at - 1, ids[0, at]].item() for at in range(first, ids.shape[1])]
    with torch.no_grad():
        loss, _ = copying_loss(model, batch_of(units, tokenizer))
    assert loss.item() == pytest.approx(-np.mean(expected), abs=1e-5)


def test_the_ranking_loss_is_that_of_own_queries_and_of_their_rank_in_the_group(model, tokenizer):
    config = LessonConfig(own=2, contrast=0.5, contrast_scale=3.0)
    groups = tokenize([GROUP, GROUP[::-1]], tokenizer, (200,), Random(1))
    batch = batch_of(for_ranking(groups, 2, Random(1)), tokenizer)
    with torch.no_grad():
        loss, figures = ranking_loss(model, batch, 4, config)
        means, log_p, cell = log_likelihoods(model, batch)
    expected_nll, expected_contrast, right = [], [], []
    for first in (0, 4):
        for column in range(8):
            own = first + column // 2
            rivals = 3.0 * means[first : first + 4, column]
            expected_nll.append(-log_p[cell == own * 8 + column])
            expected_contrast.append(rivals.logsumexp(0) - 3.0 * means[own, column])
            right.append(rivals.argmax().item() == column // 2)
    nll, contrast = torch.cat(expected_nll).mean(), torch.stack(expected_contrast).mean()
    assert figures["nll"] == pytest.approx(nll.item(), abs=1e-5)
    assert figures["accuracy"] == pytest.approx(np.mean(right))
    assert loss.item() == pytest.approx((nll + 0.5 * contrast).item(), abs=1e-5)


def test_long_passages_lose_their_end_and_queries_nothing(tokenizer):
    long = [Pair(" ".join(TEXTS * 10), pair.queries, pair.kinds) for pair in GROUP]
    (cut,) = tokenize([long], tokenizer, (20,), Random(1))
    (whole,) = tokenize([GROUP], tokenizer, (200,), Random(1))
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    assert {len(row.prompt) for row in cut} == {len(tokenizer(f"{INSTRUCTION}\nPassage:")["input_ids"]) + 21}
    assert all(row.prompt[-1] == newline for row in cut)
    assert [row.queries for row in cut] == [row.queries for row in whole]


def test_batches_keep_groups_together_within_the_token_budget(tokenizer):
    units = list(for_ranking(tokenize([GROUP] * 30, tokenizer, (16, 200), Random(3)), 2, Random(1)))
    made = list(batches(units, 2000, 2, tokenizer.pad_token_id))
    assert all(batch.ids.size <= 2000 and batch.ids.shape[1] % 64 == 0 and len(batch.ids) % 4 == 0 for batch in made)
    assert 20 * 4 < sum(len(batch.ids) for batch in made) <= 30 * 4


def test_a_group_with_too_few_queries_is_left_out_of_ranking(tokenizer):
    poor = [Pair(TEXTS[0], ("kiln",), ("keywords",)), *GROUP[1:]]
    assert not list(for_ranking(tokenize([poor], tokenizer, (200,), Random(1)), 2, Random(1)))
