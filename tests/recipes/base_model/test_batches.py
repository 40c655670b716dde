from random import Random

import numpy as np
import pytest
import torch

from recipes.base_model.batches import INSTRUCTION, batches, collate, tokenize
from recipes.base_model.config import ModelConfig, PairsConfig
from recipes.base_model.model import new_model
from recipes.base_model.pairs import Pair
from recipes.base_model.shipped import log_likelihoods, pair_loss
from recipes.base_model.tokenizer import train_tokenizer

TEXTS = [
    "The kiln is fired at night, and clay hardens above 900 degrees.",
    "Ships unload grain; the keeper counts masts.\nPilots know every sandbank.",
    "Pruning takes all winter, and old pear trees bear fruit late in the year, if at all.",
    "Compositors set each letter by hand.",
]
GROUP = [Pair(text, (f"what about {text[:9]}", text.split()[-1]), ("reshaped", "keywords")) for text in TEXTS]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 400, 256)


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


def test_queries_side_by_side_score_as_each_alone(model, tokenizer):
    groups = tokenize([GROUP], tokenizer, (200,), Random(1))
    cue = len(tokenizer("Question:", add_special_tokens=False)["input_ids"])
    batch = collate(groups, cue, tokenizer.pad_token_id, groups[0].length + 5)
    with torch.no_grad():
        scores, _ = log_likelihoods(model, batch)
    queries = [query for pair in GROUP for query in pair.queries]
    for row, pair in enumerate(GROUP):
        for column, query in enumerate(queries):
            alone = one_at_a_time(model, tokenizer, pair.passage, query)
            assert scores[row, column].item() == pytest.approx(alone, abs=1e-5)


def test_the_loss_is_that_of_own_queries_and_of_their_rank_in_the_group(model, tokenizer):
    config = PairsConfig(group=4, queries=2, contrast=0.5, contrast_scale=3.0)
    groups = tokenize([GROUP, GROUP[::-1]], tokenizer, (200,), Random(1))
    cue = len(tokenizer("Question:", add_special_tokens=False)["input_ids"])
    batch = collate(groups, cue, tokenizer.pad_token_id, max(g.length for g in groups))
    with torch.no_grad():
        loss, figures = pair_loss(model, batch, config)
        means, with_end = log_likelihoods(model, batch)
    expected_nll, expected_contrast, right = [], [], []
    for first in (0, 4):
        for column in range(8):
            own = first + column // 2
            rivals = 3.0 * means[first : first + 4, column]
            expected_nll.append(-with_end[own, column])
            expected_contrast.append(rivals.logsumexp(0) - 3.0 * means[own, column])
            right.append(rivals.argmax().item() == column // 2)
    nll, contrast = torch.stack(expected_nll).mean(), torch.stack(expected_contrast).mean()
    assert figures["nll"] == pytest.approx(nll.item(), abs=1e-5)
    assert figures["accuracy"] == pytest.approx(np.mean(right))
    assert loss.item() == pytest.approx((nll + 0.5 * contrast).item(), abs=1e-5)


def test_long_passages_lose_their_end_and_queries_nothing(tokenizer):
    long = [Pair(" ".join(TEXTS * 10), pair.queries, pair.kinds) for pair in GROUP]
    (cut,) = tokenize([long], tokenizer, (20,), Random(1))
    (whole,) = tokenize([GROUP], tokenizer, (200,), Random(1))
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    assert {len(prompt) for prompt in cut.prompts} == {len(tokenizer(f"{INSTRUCTION}\nPassage:")["input_ids"]) + 21}
    assert all(prompt[-1] == newline for prompt in cut.prompts)
    assert cut.queries == whole.queries


def test_batches_hold_every_group_at_most_once_within_the_token_budget(tokenizer):
    config = PairsConfig(group=4, batch_tokens=2000)
    groups = tokenize([GROUP] * 30, tokenizer, (16, 200), Random(3))
    made = list(batches(groups, config, 2, tokenizer.pad_token_id, seed=1))
    assert all(batch.ids.size <= 2000 and batch.ids.shape[1] % 64 == 0 for batch in made)
    assert 20 * 4 < sum(len(batch.ids) for batch in made) <= 30 * 4
