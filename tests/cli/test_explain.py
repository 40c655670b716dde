import re

import pytest


def test_a_score_is_taken_apart(qpeft, model, tmp_path):
    from tiny import adapted, tiny_tokenizer

    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(tmp_path / "adapter")
    text = "The capital of France is Paris, on the river Seine."
    done = qpeft("explain", "--query", "the river", "--text", text, *model, "--adapter", tmp_path / "adapter")
    assert (done.code, done.err) == (0, "")
    head, _, table = done.out.partition("\n\n")
    score = float(head.split()[1])
    assert "hints" in head
    rows = [line.rsplit(maxsplit=3) for line in table.splitlines()[1:]]
    assert "".join(row[0].strip("'") for row in rows).replace("\\n", "").replace(" ", "") == "theriver"
    logprobs = [float(row[1]) for row in rows]
    assert score == pytest.approx(sum(logprobs) / len(logprobs), abs=2e-3)
    for _, with_hints, without, gain in rows:
        assert float(gain) == pytest.approx(float(with_hints) - float(without), abs=2e-3)


def test_a_model_without_hints_has_no_figures_without_them(qpeft, model):
    shown = qpeft("explain", "--query", "the river", "--text", "The river is long.", *model).out
    assert re.search(r"(?m)^token +log p$", shown)
    assert "gain" not in shown


def test_the_passage_can_be_named_by_its_docid(qpeft, beir, index, model):
    from_corpus = qpeft("explain", "--query", "river", "--docid", "river", "--corpus", beir, *model)
    from_index = qpeft("explain", "--query", "river", "--docid", "river", "--index", index, *model)
    assert from_corpus.code == from_index.code == 0
    numbers = re.compile(r"[-+]?\d+\.\d+")
    words = [numbers.sub("", done.out).split() for done in (from_corpus, from_index)]
    assert words[0] == words[1]
    expected = [float(number) for number in numbers.findall(from_corpus.out)]
    # The last figure that is shown may be rounded either way.
    assert [float(number) for number in numbers.findall(from_index.out)] == pytest.approx(expected, abs=2e-3)


def test_each_stage_of_a_cascade_is_explained_as_its_model_alone(qpeft, model, error_of):
    given = ["explain", "--query", "the river", "--text", "The river is long."]
    name = model[model.index("--model") + 1]
    others = [word for word in model if word not in ("--model", name)]
    alone = [qpeft(*given, "--model", one, *others).out for one in (name, "tiny")]
    both = qpeft(*given, "--cascade", f"{name}@5:none,tiny@2", *others)
    assert both.code == 0
    blocks = re.split(r"(?m)^stage \d  (.*)\n-+\n", both.out)
    assert blocks[1::2] == [f"{name}@5", "tiny@2"]
    assert [block.strip() for block in blocks[2::2]] == [one.strip() for one in alone]
    assert "model is given with a cascade" in error_of(*given, "--cascade", "tiny@5", *model)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "one of the arguments --text --docid is required"),
        (["--docid", "river"], "--docid needs --corpus or --index"),
        (["--docid", "ocean", "--corpus", "BEIR"], "document ocean is not in the corpus"),
    ],
)
def test_a_mistake_is_one_sentence(error_of, beir, model, options, sentence):
    options = [str(beir) if option == "BEIR" else option for option in options]
    assert sentence in error_of("explain", "--query", "river", *options, *model)
