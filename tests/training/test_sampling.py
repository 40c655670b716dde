"""What a query is trained with depends on seed, epoch and query alone, and never on what is a positive elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from pyserini_qpeft.data.examples import TrainingExample, TrainingPassage
from pyserini_qpeft.training.config import SamplingConfig
from pyserini_qpeft.training.neighbours import NearQueries
from pyserini_qpeft.training.sampling import TrainingGroups, dev_lists, draw, share_passages


def passage(text: str) -> TrainingPassage:
    return TrainingPassage(text, "", text, text)


def example(name: str, positives: int = 2, negatives: int = 6) -> TrainingExample:
    return TrainingExample(
        name,
        name,
        tuple(passage(f"{name}+{n}") for n in range(positives)),
        tuple(passage(f"{name}-{n}") for n in range(negatives)),
    )


EXAMPLES = [example(name) for name in "abcdefg"]


def test_every_epoch_has_each_query_once_with_as_many_passages_as_asked_for() -> None:
    groups = TrainingGroups(EXAMPLES, SamplingConfig(positives=1, negatives=3), seed=1)
    epochs = []
    for epoch in range(3):
        groups.set_epoch(epoch)
        lists = [groups[place][0] for place in range(len(groups))]
        assert sorted(one.query for one in lists) == list("abcdefg")
        for one in lists:
            assert one.positive == (True, False, False, False)
            assert len({p.text for p in one.passages}) == 4
            assert all(p.text.startswith(one.query) for p in one.passages)
        epochs.append(lists)
    assert epochs[0] != epochs[1] != epochs[2]
    groups.set_epoch(1)
    assert [groups[place][0] for place in range(len(groups))] == epochs[1]


def test_a_query_gets_what_it_has_where_it_has_less() -> None:
    groups = TrainingGroups([example("a", 1, 1), example("b", 1, 0)], SamplingConfig(positives=2, negatives=3), seed=1)
    assert sorted(groups[place][0].positive for place in range(2)) == [(True,), (True, False)]


def test_queries_of_a_group_share_passages_but_no_positive_becomes_a_negative() -> None:
    shared = TrainingExample("x", "x", (passage("a+0"), passage("a+1")), (passage("x-0"),))
    groups = TrainingGroups([example("a", 1, 1), shared], SamplingConfig(positives=2, negatives=1, in_batch=2), seed=3)
    (group,) = (groups[place] for place in range(len(groups)))
    texts = {one.query: dict(zip((p.text for p in one.passages), one.positive, strict=True)) for one in group}
    assert texts["a"] == {"a+0": True, "a-0": False, "a+1": False, "x-0": False}
    assert texts["x"] == {"a+0": True, "a+1": True, "x-0": False, "a-0": False}


def test_near_queries_share_groups_and_every_query_comes_once() -> None:
    articles = [example(f"{article}{number}", 0, 0) for article in "abcd" for number in range(4)]
    articles = [replace(one, positives=(passage(one.qid[0]),), negatives=(passage("all"),)) for one in articles]
    groups = TrainingGroups(articles, SamplingConfig(in_batch=4, groups="near"), seed=1)
    epochs = []
    for epoch in range(2):
        groups.set_epoch(epoch)
        epochs.append([[one.qid for one in groups[place]] for place in range(len(groups))])
        assert sorted(qid for group in epochs[-1] for qid in group) == sorted(one.qid for one in articles)
        assert all(len({qid[0] for qid in group}) == 1 for group in epochs[-1])
    assert epochs[0] != epochs[1]


def test_queries_without_near_ones_come_last_if_they_fill_no_group() -> None:
    near = [replace(example(name, 0, 0), positives=(passage("x"),)) for name in "abcd"]
    order = NearQueries([example("lone"), *near]).order(2, np.random.default_rng(3)).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order[-1] == 0


def test_a_group_has_its_positives_and_then_hard_negatives_up_to_its_size() -> None:
    same = replace(example("b"), positives=example("a").positives)
    for most, expected in ((1, {1}), (4, {4}), (99, {13, 14})):
        config = SamplingConfig(in_batch=2, group_passages=most)
        groups = TrainingGroups([example("a"), same], config, seed=1)
        first, second = groups[0]
        assert first.passages == second.passages
        assert len(first.passages) in expected
        assert first.positive == second.positive == tuple("+" in one.text for one in first.passages)
        assert any(first.positive)


def test_a_passage_that_answers_another_query_of_the_group_too_is_a_positive_for_both() -> None:
    both = replace(example("b", 1, 1), positives=(passage("b+0"), passage("a+0")))
    config = SamplingConfig(positives=1, negatives=1, in_batch=2)
    for seed in range(9):
        groups = TrainingGroups([example("a", 1, 1), both], config, seed)
        texts = {one.qid: dict(zip((p.text for p in one.passages), one.positive, strict=True)) for one in groups[0]}
        assert texts["b"]["a+0"]


def test_a_passage_of_another_query_keeps_the_docid_by_which_the_teacher_knows_it() -> None:
    there, here = replace(passage("same"), docid="there"), replace(passage("same"), docid="here")
    pair = [replace(example("a", 1, 0), negatives=(there,)), replace(example("b", 1, 0), negatives=(here,))]
    for most in (None, 9):
        groups = TrainingGroups(pair, SamplingConfig(in_batch=2, group_passages=most), seed=1)
        docids = {one.qid: [p.docid for p in one.passages if p.text == "same"] for one in groups[0]}
        assert docids == {"a": ["there"], "b": ["here"]}


def test_a_passage_of_another_query_that_was_not_drawn_keeps_its_docid_too() -> None:
    first = replace(example("a", 1, 0), negatives=(replace(passage("same"), docid="there"),))
    second = replace(
        example("b", 1, 40), negatives=(*example("b", 1, 40).negatives, replace(passage("same"), docid="b9"))
    )
    groups = TrainingGroups([first, second], SamplingConfig(negatives=1, in_batch=2), seed=1)
    docids = {one.qid: [p.docid for p in one.passages if p.text == "same"] for one in groups[0]}
    assert docids == {"a": ["there"], "b": ["b9"]}


@pytest.mark.parametrize("most", [None, 4])
def test_near_groups_depend_on_seed_and_epoch_alone(most: int | None) -> None:
    examples = [replace(example(str(n)), positives=(passage(str(n // 3)),)) for n in range(12)]
    config = SamplingConfig(in_batch=4, groups="near", group_passages=most)
    whole, resumed = (TrainingGroups(examples, config, seed=5) for _ in range(2))
    whole.set_epoch(0)
    epochs = []
    for epoch in (0, 1):
        whole.set_epoch(epoch)
        epochs.append([whole[place] for place in range(len(whole))])
    resumed.set_epoch(1)
    assert [resumed[place] for place in (2, 1, 0)][::-1] == epochs[1] != epochs[0]


def test_a_lone_query_shares_nothing() -> None:
    lists = dev_lists(EXAMPLES[:1], SamplingConfig(), seed=1)
    assert share_passages(lists, EXAMPLES[:1]) == lists


def test_dev_pairs_and_draws_are_fixed_by_the_seed() -> None:
    config = SamplingConfig(negatives=2)
    assert dev_lists(EXAMPLES, config, 1) == dev_lists(EXAMPLES, config, 1) != dev_lists(EXAMPLES, config, 2)
    assert draw(EXAMPLES, 3, 1) == draw(EXAMPLES, 3, 1)
    assert len(draw(EXAMPLES, 3, 1)) == 3
    assert draw(EXAMPLES, None, 1) == draw(EXAMPLES, 99, 1) == EXAMPLES
