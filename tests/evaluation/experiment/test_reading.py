"""The YAML of an experiment: what it may have, and mistakes with their place."""

from pathlib import Path

import pytest

from pyserini_qpeft.cli.experiment import EXAMPLE
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.evaluation.experiment.reading import read_experiment

WHOLE = """
name: everything
measures: [MRR@10, nDCG@10]
depths: [10, 20]
fusion: [none, dev, 0.4]
seeds: [1, 2]
answer-cutoffs: [5, 10]
tolerance: 0.001
collections:
  one:
    folder: one
    first-stages: {BM25: {k1: 0.9}, stored: run.txt}
    dev: {queries: 5}
models:
  m:
    options: {model: org/model, dtype: bfloat16}
    adapters:
      bare: none
      R: adapters/r-{seed}
      trained: {train: {variant: attention, dev: one}, passage-tokens: 100}
comparisons:
  - ["m/R, depth 20, fused (dev)", first stage]
  - ["m/trained, depth 10", "m/bare, depth 10, fused (0.4)"]
expected:
  first stage: {one / BM25: {nDCG@10: 0.5}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    (tmp_path / "adapters" / "r-2").mkdir(parents=True)
    (tmp_path / "run.txt").write_text("q Q0 d 1 1 t\n")
    return tmp_path


def read(home: Path, text: str):
    (home / "x.yaml").write_text(text)
    return read_experiment(home / "x.yaml")


def test_a_whole_experiment_is_read(home: Path):
    experiment = read(home, WHOLE)
    assert experiment.measures == ("RR@10", "nDCG@10")
    assert experiment.fusions == ("none", "dev", 0.4)
    (collection,) = experiment.collections
    assert [(stage.name, stage.run, dict(stage.options)) for stage in collection.first_stages] == [
        ("BM25", None, {"k1": 0.9}),
        ("stored", home / "run.txt", {}),
    ]
    assert (collection.dev.split, collection.dev.queries, collection.dev.folder) == ("dev", 5, home / "one")
    assert experiment.comparisons == (
        ("m/R, depth 20, fused (dev)", "first stage"),
        ("m/trained, depth 10", "m/bare, depth 10, fused (0.4)"),
    )
    assert experiment.expected == {"first stage": {"one / BM25": {"nDCG@10": 0.5}}}


def test_adapters_have_a_variant_for_each_seed_they_depend_on_and_paths_where_there_are_files(home: Path):
    bare, r, trained = read(home, WHOLE).adapters
    shared = {"model": "org/model", "dtype": "bfloat16"}
    assert [(one.seed, one.options) for one in bare.variants] == [(None, {**shared, "adapter": "none"})]
    assert [(one.seed, one.options["adapter"]) for one in r.variants] == [
        (1, "adapters/r-1"),
        (2, home / "adapters" / "r-2"),
    ]
    assert [one.seed for one in trained.variants] == [1, 2]
    assert trained.variants[0].options == {**shared, "passage-tokens": 100}
    assert trained.variants[0].train == {"variant": "attention", "dev": home / "one"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: everything", "name: [", r"x.yaml:\d+: broken YAML"),
        ("name: everything", "", "name is missing"),
        ("name: everything", "name: a\x00b", "broken YAML: unacceptable character #x0000: special characters are not"),
        ("name: everything", "name: 2024-13-45", "a value that YAML cannot read: month must be in 1..12"),
        ("depths: [10, 20]", f"depths: [{'9' * 5000}]", "a value that YAML cannot read: Exceeds the limit"),
        ("name: everything", f"name: {'[' * 20_000}", "YAML is nested too deeply"),
        ("name: everything", "names: a\nname: b", "unknown key 'names'"),
        ("folder: one", "folder: two", "collections: one: the folder two does not exist"),
        ("stored: run.txt", "stored: gone.txt", "the run gone.txt of first stage stored does not exist"),
        ("depths: [10, 20]", "depths: [0]", "depths must be 1 or more, and is 0"),
        ("depths: [10, 20]", "depths: ten", "depths must be a whole number, and is 'ten'"),
        ("fusion: [none, dev, 0.4]", "fusion: 2", "fusion must be none, dev, model or a weight from 0 to 1, and is 2"),
        ("measures: [MRR@10, nDCG@10]", "measures: nDGC@10", "'nDGC@10' is not a measure"),
        ("{nDCG@10: 0.5}", "{nDCG@10: high}", "expected: first stage: one / BM25: nDCG@10 must be a whole number or"),
        ("bare: none", "bare: {a: {b: c}}", "a must be a single value or a list"),
        ("dev: {queries: 5}", "dev: {querys: 5}", "unknown key 'querys'"),
        (
            "m/trained, depth 10",
            "m/trained, depth 15",
            "comparisons: there is no row 'm/trained, depth 15': the rows are",
        ),
        (", first stage]", "]", "a comparison is a list of two rows"),
        ('"m/bare, depth 10, fused (0.4)"', '"m/trained, depth 10"', "'m/trained, depth 10' is compared with itself"),
    ],
)
def test_a_mistake_has_its_place(home: Path, old: str, new: str, message: str):
    assert old in WHOLE
    with pytest.raises(QPeftError, match=message) as mistake:
        read(home, WHOLE.replace(old, new))
    assert "x.yaml" in str(mistake.value)


def test_the_example_of_the_help_is_an_experiment(tmp_path: Path):
    (tmp_path / "nfcorpus").mkdir()
    (tmp_path / "run.txt").write_text("q Q0 d 1 1 t\n")
    experiment = read(tmp_path, EXAMPLE)
    assert [adapter.name for adapter in experiment.adapters] == ["shipped/bare", "shipped/R", "shipped/mine"]
    assert [variant.seed for variant in experiment.adapters[2].variants] == [1, 2, 3]
    assert set(experiment.expected) <= set(experiment.rows)
