"""A name means one set of weights, with the settings that belong to them."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import save_tiny_model

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import find_model, fusion_weight, models


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file of names; empty until a test fills it."""
    path = tmp_path / "names.yaml"
    path.write_text("")
    monkeypatch.setenv("QPEFT_MODELS", str(path))
    return path


def test_the_weight_belongs_to_the_model() -> None:
    assert fusion_weight(None) == fusion_weight("tiny") == models()["tiny"].fusion_weight
    assert fusion_weight("smollm2-135m-q4") == fusion_weight("smollm2-135m")
    assert fusion_weight("HuggingFaceTB/SmolLM2-135M-Instruct") == fusion_weight("smollm2-135m")
    assert fusion_weight("someone/else") == 0.5


def test_different_names_never_share_weights() -> None:
    sources = [(record.folder, record.hub, record.gguf, record.package, record.file) for record in models().values()]
    assert len(set(sources)) == len(sources)


def test_adapters_that_come_along_exist() -> None:
    for record in models().values():
        for folder in record.adapters.values():
            assert (Path(folder) / "adapter_config.json").is_file()


def test_every_weight_says_how_it_was_chosen() -> None:
    assert all(record.chosen != "default" and record.licence != "unknown" for record in models().values())


def test_a_user_adds_names_with_paths_that_start_at_the_file(own: Path) -> None:
    own.write_text("mine: {source: {folder: weights}, fusion_weight: 0.7, adapters: {a: adapters/a}}\n")
    record = find_model("mine")
    assert record is not None
    assert record.folder == str(own.parent / "weights")
    assert record.adapters == {"a": str(own.parent / "adapters/a")}
    assert record.default_adapter == "a"
    assert fusion_weight("mine") == 0.7


@pytest.mark.parametrize(("given", "found"), [("b", "b"), ("none", None)])
def test_a_user_names_the_default_adapter(own: Path, given: str, found: str | None) -> None:
    own.write_text(f"mine: {{source: {{hub: a/b}}, adapters: {{a: x, b: y}}, default_adapter: {given}}}\n")
    record = find_model("mine")
    assert record is not None
    assert record.default_adapter == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tiny: {source: {hub: a/b}}", "'tiny' belongs to a model of the package"),
        ("[1, 2]", "must hold a mapping"),
        ("a: {", "cannot read the models in"),
        ("a: 3", "needs a source"),
        ("a: {source: {hub: a/b, folder: c}}", "must have one of folder, hub and gguf"),
        ("a: {source: {package: p}}", "or package and file"),
        ("a: {source: {hub: 3}}", "hub must be text, not 3"),
        ("a: {source: {hub: a/b}, fusion_weight: 2}", "a number from 0 to 1, not 2"),
        ("a: {source: {hub: a/b}, passage_tokens: x}", "passage_tokens must be a whole number, not 'x'"),
        ("a: {source: {hub: a/b}, weight: 2}", "unknown field 'weight'"),
        ("a/b: {source: {hub: a/b}}", "has no slash"),
        ("a: {source: {hub: a/b}, adapters: {c: d}, default_adapter: e}", "one of c, none, not 'e'"),
    ],
)
def test_a_bad_file_of_names_is_refused_in_one_sentence(own: Path, content: str, message: str) -> None:
    own.write_text(content)
    with pytest.raises(QPeftError, match=message) as caught:
        models()
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_names_that_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPEFT_MODELS", "/nowhere/names.yaml")
    with pytest.raises(QPeftError, match="no such file"):
        models()


def test_names_are_read_without_torch() -> None:
    code = "from pyserini_qpeft.models.registry import models; models(); import sys; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_model_reads_as_many_passage_tokens_as_its_record_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyserini_qpeft import QPeftReranker, RerankConfig, ScoringConfig

    save_tiny_model(tmp_path / "tiny-llama")
    (tmp_path / "models.yaml").write_text(
        f"short: {{source: {{folder: {tmp_path / 'tiny-llama'}}}, passage_tokens: 7, fusion_weight: 0.2}}\n"
    )
    monkeypatch.setenv("QPEFT_MODELS", str(tmp_path / "models.yaml"))
    own = QPeftReranker.from_pretrained("short", dtype="float32", device="cpu")
    assert own.config.scoring.passage_tokens == own.scorer.encoder.passage_tokens == 7
    assert own.config.fusion is not None
    assert own.config.fusion.weight == 0.2
    asked = RerankConfig(scoring=ScoringConfig(passage_tokens=9))
    assert QPeftReranker.from_pretrained("short", dtype="float32", config=asked).scorer.encoder.passage_tokens == 9
    by_folder = QPeftReranker.from_pretrained(tmp_path / "tiny-llama", dtype="float32")
    assert by_folder.config.scoring.passage_tokens == 7
