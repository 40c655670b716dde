"""The whole recipe in seconds: tokenizer, plain base, pairs, shipped base, export."""

import json
from dataclasses import replace
from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from recipes.base_model.batches import tokenize
from recipes.base_model.config import LessonConfig, ModelConfig, OptimizerConfig, PairsConfig, PlainConfig, RecipeConfig
from recipes.base_model.export import save
from recipes.base_model.forbidden import Forbidden
from recipes.base_model.model import new_model
from recipes.base_model.pairs import read_pairs, write_pairs
from recipes.base_model.plain import train_plain, windows
from recipes.base_model.shipped import train_shipped
from recipes.base_model.text import documents
from recipes.base_model.tokenizer import train_tokenizer

FEW = OptimizerConfig(steps=12, log_every=1, learning_rate=5e-3, embedding_learning_rate=5e-3)
CONFIG = RecipeConfig(
    seed=3,
    model=ModelConfig(vocabulary=400, width=32, layers=2, heads=4, key_value_heads=2, intermediate=48, positions=256),
    plain=PlainConfig(characters={"squad-v1.1-dev": 100_000}, window=32, batch=8, optimizer=FEW),
    pairs=PairsConfig(passages={"squad-v1.1-dev": 48}, queries=4, passage_tokens=(40,), batch_tokens=2048),
    copying=LessonConfig(own=4, optimizer=replace(FEW, steps=4)),
    ranking=LessonConfig(own=2, contrast=0.5, optimizer=replace(FEW, steps=4)),
    questions=PairsConfig({"squad-v1.1-dev": 24}, real=True, group=8, passage_tokens=(40,), batch_tokens=2048),
    answering=LessonConfig(own=2, contrast=1.0, optimizer=replace(FEW, steps=3)),
)


@pytest.fixture(scope="module")
def texts(tiny_shared):
    return documents(tiny_shared, CONFIG.plain.characters, CONFIG.seed)


@pytest.fixture(scope="module")
def tokenizer(texts):
    return train_tokenizer(texts, CONFIG.model.vocabulary, CONFIG.model.positions)


@pytest.fixture(scope="module")
def plain(texts, tokenizer, tmp_path_factory):
    """The plain base, trained in one go, and the folder with its log."""
    folder = tmp_path_factory.mktemp("plain")
    model = new_model(CONFIG.model, tokenizer, CONFIG.seed)
    corpus = windows(texts, tokenizer, CONFIG.plain.window, CONFIG.seed)
    train_plain(model, corpus, CONFIG, folder, compiled=False)
    return model, corpus, folder


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_held_out_articles_are_no_running_text(texts):
    assert len(texts) == 16
    assert not any("violin" in text or "glacier" in text for text in texts)


def test_a_newline_is_never_part_of_another_token_and_digits_stand_alone(tokenizer):
    pieces = tokenizer.tokenize("The kiln\nPassage 1999\n\nKiln")
    assert [p for p in pieces if "Ċ" in p] == ["Ċ"] * 3
    assert [p.strip("Ġ") for p in pieces if any(c.isdigit() for c in p)] == ["1", "9", "9", "9"]
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id


def test_text_cut_after_a_newline_tokenises_as_the_whole_does(tokenizer):
    whole, pieces = "A kiln: 3\n Ash\n\nİ of ÉTÉ 木", ["A kiln: 3\n", " Ash\n", "\n", "İ of ÉTÉ 木"]
    cut = [i for piece in pieces for i in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    assert tokenizer(whole, add_special_tokens=False)["input_ids"] == cut


def test_offsets_refer_to_the_text_as_it_was_given(tokenizer):
    text = "Die Öfen ÉTAIENT old"
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert "".join(text[a:b] for a, b in dict.fromkeys(encoded["offset_mapping"])) == text


def test_every_window_begins_with_bos_and_none_is_lost(plain, texts, tokenizer):
    _, corpus, _ = plain
    assert (corpus[:, 0] == tokenizer.bos_token_id).all()
    tokens = sum(len(ids) + 1 for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    assert 0 <= tokens - corpus[:, 1:].size < CONFIG.plain.window


def test_the_plain_base_learns(plain):
    losses = [line["loss"] for line in log_of(plain[2])]
    assert losses[-1] < losses[0] - 0.5


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(plain, tokenizer, tmp_path, monkeypatch):
    whole, corpus, _ = plain
    model = new_model(CONFIG.model, tokenizer, CONFIG.seed)
    # Saved at every step, stopped in the seventh.
    often = replace(CONFIG, plain=replace(CONFIG.plain, optimizer=replace(FEW, checkpoint_minutes=0.0)))
    step = torch.optim.AdamW.step
    calls = []

    def stops(self, *arguments, **named):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return step(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.AdamW, "step", stops)
        with pytest.raises(KeyboardInterrupt):
            train_plain(model, corpus, often, tmp_path, compiled=False)
    again = new_model(CONFIG.model, tokenizer, seed=99)
    train_plain(again, corpus, often, tmp_path, compiled=False)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_the_shipped_base_is_taught_and_loads_as_any_model(plain, tokenizer, tiny_shared, tmp_path):
    model = new_model(CONFIG.model, tokenizer, CONFIG.seed)
    model.load_state_dict(plain[0].state_dict())
    groups, asked = [], []
    for found, pairs in ((groups, CONFIG.pairs), (asked, CONFIG.questions)):
        write_pairs(tiny_shared, pairs, CONFIG.seed, tmp_path / "pairs", Forbidden.read(tiny_shared / "data"))
        found += tokenize(list(read_pairs(tmp_path / "pairs")), tokenizer, pairs.passage_tokens, Random(1))
    train_shipped(model, groups, asked, tokenizer, CONFIG, tmp_path)
    assert log_of(tmp_path / "copying-training")[-1]["loss"] < log_of(tmp_path / "copying-training")[0]["loss"]
    assert [line["step"] for line in log_of(tmp_path / "ranking-training")] == [1, 2, 3, 4]
    assert [line["step"] for line in log_of(tmp_path / "answering-training")] == [1, 2, 3]

    save(model, tokenizer, tmp_path / "model")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    again = AutoTokenizer.from_pretrained(tmp_path / "model")
    prompt = "Passage: The potter fires the kiln.\nQuestion: who?"
    ids = again(prompt, return_tensors="pt")["input_ids"]
    assert ids.tolist() == [tokenizer(prompt)["input_ids"]]
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))
        for name, weight in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight), name
        torch.testing.assert_close(loaded(ids).logits, model.eval()(ids).logits, rtol=0, atol=1e-5)


def test_real_questions_come_with_passages_that_are_whole_and_a_made_one_beside_a_single_question(
    tiny_shared, tmp_path
):
    write_pairs(tiny_shared, CONFIG.questions, 1, tmp_path / "pairs", Forbidden.read(tiny_shared / "data"))
    groups = list(read_pairs(tmp_path / "pairs"))
    assert [len(group) for group in groups] == [8, 8, 8]
    for pair in (pair for group in groups for pair in group):
        assert pair.kinds[0] == "question"
        assert len(pair.kinds) == 2
        assert pair.passage.startswith("The ")
        assert pair.passage.endswith("nothing else was recorded.")


def test_the_same_seed_writes_the_same_pairs(tiny_shared, tmp_path):
    forbidden = Forbidden.read(tiny_shared / "data")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_pairs(tiny_shared, CONFIG.pairs, seed, tmp_path / name, forbidden)
    first, same, other = (list(read_pairs(tmp_path / name)) for name in "abc")
    assert first == same != other
