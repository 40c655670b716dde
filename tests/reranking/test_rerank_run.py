"""A run that was cut off anywhere ends byte for byte as one that was not, or is refused with what has changed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, get_peft_model
from tiny import adapted, save_tiny_model, tiny_tokenizer

from pyserini_qpeft import FusionConfig, QPeftError, QPeftReranker, RerankConfig, ScoringConfig
from pyserini_qpeft.data.records import Run, ScoredDoc, Topics
from pyserini_qpeft.reranking.fingerprint import config_settings, model_settings
from pyserini_qpeft.reranking.rerank_run import RunConfig, rerank_run
from pyserini_qpeft.reranking.resume import ResumableWriter

TEXTS = {
    "nile": "The Nile is the longest river of Africa and flows through Egypt.",
    "paris": "Paris is the capital of France, on the river Seine.",
    "aaron": "Aaron is a prophet, high priest and the brother of Moses.",
    "linda": "Linda Davis sings Does He Love Me with Reba.",
    "short": "A river.",
}
TOPICS: Topics = {
    "q1": "which river runs through the capital",
    "q2": "who sings",
    "q3": "the brother of Moses",
    "q4": "a long question about the name of the river that runs through Egypt",
    "q5": "Paris",
    "q6": "river",
}
RUN: Run = {
    qid: [ScoredDoc(docid, 9.0 - place) for place, docid in enumerate([*list(TEXTS)[n % 3 :], *list(TEXTS)[: n % 3]])]
    for n, qid in enumerate(TOPICS)
}


class Killed(BaseException):
    """What a kill does to the process."""


@pytest.fixture(scope="module")
def reranker(tiny_model_dir: Path) -> QPeftReranker:
    """Scores the six queries in batches of two, each row in a batch of its own length."""
    config = RerankConfig(
        scoring=ScoringConfig(query_batch_pairs=10, batch_tokens=200), fusion=FusionConfig(weight=0.4)
    )
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", device="cpu", config=config)


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs `rerank_run` and kills it after so many queries."""

    def run(count: int, *arguments: Any, **options: Any) -> None:
        write = ResumableWriter.write
        written = 0

        def write_and_die(self: ResumableWriter, *args: Any) -> None:
            nonlocal written
            write(self, *args)
            written += 1
            if written == count:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(ResumableWriter, "write", write_and_die)
            with pytest.raises(Killed):
                rerank_run(*arguments, **options)

    return run


@pytest.mark.parametrize("form", ["trec", "msmarco", "csv", "jsonl"])
@pytest.mark.parametrize("depth", [None, 3])
def test_a_run_that_is_killed_between_any_two_writes_ends_as_one_that_is_not(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path, form: str, depth: int | None
) -> None:
    ours = QPeftReranker(reranker.scorer, replace(reranker.config, depth=depth))
    rerank_run(RUN, TOPICS, RunConfig(tmp_path / "whole", format=form), ours, corpus=TEXTS)
    for count in range(1, len(RUN)):
        config = RunConfig(tmp_path / f"run{count}", format=form)
        kill_after(count, RUN, TOPICS, config, ours, corpus=TEXTS)
        assert not config.output.exists()
        report = rerank_run(RUN, TOPICS, config, ours, corpus=TEXTS)
        assert report.queries == len(RUN) - count
        assert config.output.read_bytes() == (tmp_path / "whole").read_bytes()


def test_killed_again_and_again_it_still_ends_the_same(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path
) -> None:
    rerank_run(RUN, TOPICS, RunConfig(str(tmp_path / "whole")), reranker, corpus=TEXTS)
    for _ in range(len(RUN)):
        kill_after(1, RUN, TOPICS, RunConfig(tmp_path / "run"), reranker, corpus=TEXTS)
    rerank_run(RUN, TOPICS, RunConfig(tmp_path / "run"), reranker, corpus=TEXTS)
    assert (tmp_path / "run").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_query_batch_whose_queries_are_all_finished_is_not_scored_again(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path
) -> None:
    kill_after(3, RUN, TOPICS, RunConfig(tmp_path / "run"), reranker, corpus=TEXTS)
    report = rerank_run(RUN, TOPICS, RunConfig(tmp_path / "run"), reranker, corpus=TEXTS)
    assert (report.queries, report.scoring.passages) == (3, 20)


def test_the_lists_are_the_rerankers_own(reranker: QPeftReranker, tmp_path: Path) -> None:
    rerank_run(RUN, TOPICS, RunConfig(tmp_path / "run", format="jsonl", seconds=True), reranker, corpus=TEXTS)
    records = [json.loads(line) for line in (tmp_path / "run").read_text().splitlines()]
    own = reranker.rerank_batch([(TOPICS[qid], hits) for qid, hits in RUN.items()], corpus=TEXTS)
    assert [record["qid"] for record in records] == list(RUN)
    for record, hits in zip(records, own, strict=True):
        assert [(one["docid"], one["score"]) for one in record["hits"]] == [(hit.docid, hit.score) for hit in hits]
        assert record["seconds"] > 0


def test_the_progress_bar_of_a_resumed_run_begins_with_what_is_done(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(tmp_path / "run", progress=True)
    kill_after(3, RUN, TOPICS, config, reranker, corpus=TEXTS)
    assert "20/30" in capsys.readouterr().err
    rerank_run(RUN, TOPICS, config, reranker, corpus=TEXTS)
    drawn = capsys.readouterr().err
    assert "10/30" in drawn
    assert "30/30" in drawn


def test_lone_surrogates_in_queries_and_texts_are_repaired(reranker: QPeftReranker, tmp_path: Path) -> None:
    run: Run = {"q1": [ScoredDoc("nile", 2.0, "the \ud800 Nile"), ScoredDoc("paris", 1.0)]}
    config = RunConfig(tmp_path / "run", format="jsonl")
    rerank_run(run, {"q1": "which \ud800 river"}, config, reranker, corpus=TEXTS)
    record = json.loads((tmp_path / "run").read_text())
    assert record["query"] == "which \ufffd river"
    assert {hit["text"] for hit in record["hits"]} == {"the \ufffd Nile", TEXTS["paris"]}
    with pytest.raises(QPeftError, match="query q1 must be a string, not None"):
        rerank_run(run, {}, config, reranker, corpus=TEXTS)


def test_changed_texts_are_refused_and_those_of_no_hit_do_not_matter(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path
) -> None:
    shallow = QPeftReranker(reranker.scorer, replace(reranker.config, depth=2))
    config = RunConfig(tmp_path / "run")
    kill_after(1, RUN, TOPICS, config, shallow, corpus=TEXTS)
    with pytest.raises(QPeftError, match=r"run\.partial is an unfinished run, and the texts of query q1 have changed"):
        rerank_run(RUN, TOPICS, config, shallow, corpus=TEXTS | {"paris": "Paris is another city."})
    rerank_run(RUN, TOPICS, config, shallow, corpus=TEXTS | {"unheard of": "another passage"})
    rerank_run(RUN, TOPICS, RunConfig(str(tmp_path / "whole")), shallow, corpus=TEXTS)
    assert config.output.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": {"seconds": True}}, "seconds False (now True)"),
        ({"config": {"format": "jsonl"}}, "format 'trec' (now 'jsonl')"),
        ({"config": {"tag": "other"}}, "tag 'qpeft' (now 'other')"),
        ({"rerank": {"depth": 2}}, "depth None (now 2)"),
        ({"rerank": {"fusion": None}}, "fusion.weight 0.4 (now None)"),
        ({"rerank": {"fusion": FusionConfig("rrf", 0.4)}}, "fusion.method 'zscore' (now 'rrf')"),
        ({"topics": {"q6": "another river"}}, "topics '"),
        ({"run": {"q6": [ScoredDoc("nile", 1.0)]}}, "run '"),
    ],
)
def test_other_settings_are_refused_and_named(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    config = RunConfig(tmp_path / "run")
    kill_after(1, RUN, TOPICS, config, reranker, corpus=TEXTS)
    changed = QPeftReranker(reranker.scorer, replace(reranker.config, **change.get("rerank", {})))
    other = replace(config, **change.get("config", {}))
    run, topics = RUN | change.get("run", {}), TOPICS | change.get("topics", {})
    with pytest.raises(QPeftError) as refused:
        rerank_run(run, topics, other, changed, corpus=TEXTS)
    assert named in str(refused.value)
    rerank_run(run, topics, replace(other, restart=True), changed, corpus=TEXTS)


def test_settings_that_only_make_it_faster_may_change(
    reranker: QPeftReranker, kill_after: Callable[..., None], tmp_path: Path
) -> None:
    kill_after(1, RUN, TOPICS, RunConfig(tmp_path / "run"), reranker, corpus=TEXTS)
    scoring = ScoringConfig(batch_tokens=100, query_batch_pairs=100, share_passages=False)
    other = QPeftReranker(reranker.scorer, replace(reranker.config, scoring=scoring, progress=True))
    rerank_run(RUN, TOPICS, RunConfig(tmp_path / "run"), other, corpus=TEXTS)


def test_a_field_that_is_new_in_a_configuration_counts_unless_it_says_otherwise() -> None:
    @dataclass(frozen=True)
    class Inner:
        new: int = 3

    @dataclass(frozen=True)
    class Config(RerankConfig):
        inner: Inner = Inner()
        faster: bool = field(default=False, metadata={"changes_result": False})

    added = {"inner.new": 3}
    assert config_settings(Config()) == config_settings(RerankConfig()) | added
    counted = {name.partition(".")[0] for name in config_settings(RerankConfig(fusion=FusionConfig(weight=1.0)))}
    assert counted == {one.name for one in fields(RerankConfig)} - {"progress"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a Q-PEFT adapter, and a second one that lies on a LoRA."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_model(folder / "model")
    adapted("llama", tiny_tokenizer(), variant="retrieval").save_pretrained(folder / "adapter")
    return folder


def _loaded(folder: Path) -> dict[str, Any]:
    loaded = QPeftReranker.from_pretrained(folder / "model", folder / "adapter", dtype="float32", device="cpu")
    return json.loads(json.dumps(model_settings(loaded.scorer), default=str))


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("model/config.json", '"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05', {"model.rms_norm_eps"}),
        ("model/tokenizer.json", '"content": "<s>"', '"content": "<S>"', {"tokenizer"}),
        ("adapter/adapter_config.json", '"num_hints": 15', '"num_hints": 1', {"adapter.QPEFT.num_hints"}),
        ("adapter/adapter_config.json", '"template": {}', '"template": {"hints_label": "H:"}', {"adapter.QPEFT.template", "template.hints_label"}),
    ],
)  # fmt: skip
def test_each_file_of_a_model_or_adapter_that_scores_depend_on_is_noticed(
    folders: Path, tmp_path: Path, file: str, old: str, new: str, named: set[str]
) -> None:
    shutil.copytree(folders, tmp_path / "copy")
    before = _loaded(folders)
    assert _loaded(tmp_path / "copy") == before, "the place of the files does not matter"
    _edit(tmp_path / "copy" / file, old, new)
    after = _loaded(tmp_path / "copy")
    assert {name for name in before | after if before.get(name) != after.get(name)} == named


def test_weights_of_model_adapter_and_lora_are_noticed(folders: Path) -> None:
    import torch

    loaded = QPeftReranker.from_pretrained(folders / "model", folders / "adapter", dtype="float32", device="cpu")
    settings = model_settings(loaded.scorer)
    for name, weight in loaded.scorer.model.named_parameters():
        with torch.no_grad():
            kept = weight.view(-1)[-1].clone()
            weight.view(-1)[-1] += 0.5
            assert model_settings(loaded.scorer)["weights"] != settings["weights"], name
            weight.view(-1)[-1] = kept
    assert model_settings(loaded.scorer) == settings

    lora = get_peft_model(loaded.scorer.model.base_model.model, LoraConfig(r=2, target_modules=["q_proj"]))
    scorer = type(loaded.scorer)(lora, loaded.scorer.encoder.tokenizer)
    assert model_settings(scorer)["adapter.LORA.lora_alpha"] == 8


def test_a_format_or_a_tag_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(QPeftError, match="must be one word"):
        RunConfig(tmp_path / "run", tag="two words")
    with pytest.raises(QPeftError, match="there is no run format xml"):
        RunConfig(tmp_path / "run", format="xml")
