"""The real scoring process: many adapters over one base model, with the scores that the reranker gives."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import PAIRS, adapted, tiny_model, tiny_tokenizer

from pyserini_qpeft import QPeftReranker
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.cascade.reranker import CascadeReranker
from pyserini_qpeft.models.config import ModelConfig
from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.scoring.config import ScoringConfig
from pyserini_qpeft.service import engine
from pyserini_qpeft.service.config import ServiceConfig
from pyserini_qpeft.service.scoring import Scoring, ScoringSettings, _same_weights
from pyserini_qpeft.windows.config import WindowConfig

MODEL = ModelConfig(dtype="float32", device="cpu")
ADAPTERS = {"tiny": None, "attention": "attention", "bare": "none"}
QUERIES = ["what is the capital of France", "who is the brother of Moses", "river"]
TEXTS = [passage for _, passage in PAIRS] + ["Paris is the capital of France. " * n for n in (1, 3, 60)]


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, str, str], float]:
    """The score of each model, query and text, by rerankers that load the model anew."""
    scores = {}
    for name, adapter in ADAPTERS.items():
        reranker = QPeftReranker.from_config(replace(MODEL, adapter=adapter))
        for query in QUERIES:
            for text, score in zip(TEXTS, reranker.score(query, TEXTS), strict=True):
                scores[name, query, text] = float(score)
    return scores


def test_requests_of_many_clients_get_the_scores_of_the_reranker(
    expected: dict[tuple[str, str, str], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SCORING", "pyserini_qpeft.service.scoring:Scoring")

    async def checked() -> None:
        config = ServiceConfig(model=MODEL, adapters=("attention", "bare=none"))
        async with engine.Service(config) as service:
            asked = [(name, query) for name in ADAPTERS for query in QUERIES] * 2
            answers = await asyncio.gather(*(service.rerank(name, query, TEXTS) for name, query in asked))
            for (name, query), answer in zip(asked, answers, strict=True):
                wanted = [expected[name, query, text] for text in TEXTS]
                found = {hit.first_stage_rank - 1: hit.likelihood for hit in answer.hits}
                scores = [found[place] for place in range(len(TEXTS))]
                assert scores == pytest.approx(wanted, abs=2e-5), (name, query)
            explanation = await service.explain(None, QUERIES[0], TEXTS[0])
            assert explanation.score == pytest.approx(expected["tiny", QUERIES[0], TEXTS[0]], abs=2e-5)
            assert explanation.hints
            info = service.workers["scoring"].info
            # The weights of three models are those of one, and two small adapters.
            assert info.parameters < 1.2 * 4_700_000
            reranker = QPeftReranker.from_pretrained(dtype="float32", device="cpu")
            answer = await service.rerank("tiny", QUERIES[0], TEXTS)
            hits = reranker.rerank(QUERIES[0], TEXTS)
            assert [hit.docid for hit in answer.hits] == [hit.docid for hit in hits]
            probabilities = [hit.probability for hit in hits]
            assert [hit.probability for hit in answer.hits] == pytest.approx(probabilities, abs=1e-4)
            bare = await service.rerank("bare", QUERIES[0], TEXTS[:1])
            assert bare.hits[0].probability is None
            cut = await service.rerank(None, QUERIES[0], TEXTS[-1:], text_tokens=5)
            assert cut.report.passages_cut == 1
            beginnings = [TEXTS[-1][:end] for end in range(1, 30)]
            scores = [hit.likelihood for hit in (await service.rerank(None, QUERIES[0], beginnings)).hits]
            assert any(cut.hits[0].likelihood == pytest.approx(score, abs=2e-5) for score in scores)

    asyncio.run(checked())


LONG = "\n".join(["Rivers", *(f"The river number {n} runs to the sea." for n in range(40)), "Paris is in France."])


def test_a_cascade_with_windows_ranks_as_it_does_without_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SCORING", "pyserini_qpeft.service.scoring:Scoring")
    config = RerankConfig(windows=WindowConfig(size=32))
    stages = "tiny@5,tiny+attention@3"
    cascade = CascadeReranker.from_pretrained(stages, model=MODEL, config=config)
    hits = [Candidate(f"d{n}", text, 9.0 - n) for n, text in enumerate([*TEXTS[:5], LONG])]

    async def checked() -> None:
        async with engine.Service(ServiceConfig(model=MODEL, rerank=config, cascade=stages)) as service:
            for query in QUERIES:
                expected = cascade.rerank(query, hits)
                answer = await service.rerank(None, query, hits)
                assert [hit.docid for hit in answer.hits] == [hit.docid for hit in expected]
                for ours, theirs in zip(answer.hits, expected, strict=True):
                    assert ours.likelihood == pytest.approx(theirs.likelihood, abs=2e-5)
                    assert ours.score == pytest.approx(theirs.score, abs=2e-3)
                    assert ours.probability == pytest.approx(theirs.probability, abs=1e-4)
                    found, wanted = ours.best_passage, theirs.best_passage
                    assert (found and found.text) == (wanted and wanted.text)
                assert answer.report.passages == cascade.last_report.passages
            alone = (await service.rerank("tiny", "where is Paris", [LONG])).hits[0]
            assert len(alone.windows) > 5
            explained = await service.explain("tiny", "where is Paris", LONG)
            assert explained.score == pytest.approx(alone.likelihood, abs=2e-5)
            assert len(explained.windows) == len(alone.windows)
            info = service.workers["scoring"].info
            assert info.parameters < 1.2 * 4_700_000

    asyncio.run(checked())


def test_an_adapter_changes_its_own_modules_alone(tmp_path: Path) -> None:
    """A LoRA replaces layers of the model that it is put on."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = tiny_model()
    ids = torch.tensor([[1, 5, 9, 11]])
    before = model(ids).logits
    copied = _same_weights(model, tmp_path)
    lora = get_peft_model(copied, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    assert not torch.allclose(lora(ids).logits, before)
    assert torch.equal(model(ids).logits, before)
    shared = {weight.data_ptr() for weight in model.parameters()}
    assert shared <= {weight.data_ptr() for weight in lora.parameters()}


def test_biases_that_an_adapter_brings_are_its_own(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from pyserini_qpeft.models.adapters import with_adapter

    trained = get_peft_model(tiny_model("gpt2"), LoraConfig(target_modules=["c_attn"], bias="all"))
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            if name.endswith("bias"):
                weight.add_(0.5)
    trained.save_pretrained(str(tmp_path))
    model = tiny_model("gpt2")
    ids = torch.tensor([[1, 5, 9, 11]])
    before = model(ids).logits
    lora = with_adapter(_same_weights(model, tmp_path), tmp_path)
    torch.testing.assert_close(lora(ids).logits, trained.eval()(ids).logits)
    assert not torch.allclose(lora(ids).logits, before)
    assert torch.equal(model(ids).logits, before)
    kept = {id(weight) for weight in model.parameters()} & {id(weight) for weight in lora.parameters()}
    assert kept, "the other weights are shared"


def test_a_system_whose_c_library_cannot_be_named_keeps_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes
    import sys

    from pyserini_qpeft.service.scoring import _return_free_memory

    def refuse(name: object) -> None:
        raise TypeError("argument of type 'NoneType' is not iterable")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    _return_free_memory()


def test_a_text_is_cut_at_a_number_of_tokens() -> None:
    from pyserini_qpeft.scoring.scorer import LikelihoodScorer
    from pyserini_qpeft.service.scoring import _cut

    tokenizer = tiny_tokenizer()
    scorer: Any = LikelihoodScorer(adapted("llama", tokenizer, variant="retrieval"), tokenizer)
    for _, text in PAIRS:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        for most in (1, 3, 10):
            cut = _cut(scorer, text, most)
            assert text.startswith(cut)
            assert len(tokenizer(cut, add_special_tokens=False)["input_ids"]) <= most or most == 1
        assert _cut(scorer, text, len(tokens) + 1) is text


def test_what_cannot_be_loaded_is_named_before_torch_is() -> None:
    from pyserini_qpeft.errors import QPeftError

    with pytest.raises(QPeftError, match="there is no folder"):
        Scoring(ScoringSettings({"tiny": replace(MODEL, adapter="/no/such/adapter")}, {"tiny": RerankConfig()}))


def test_adapters_that_read_passages_alike_share_one_passage_cache() -> None:
    config = RerankConfig(scoring=ScoringConfig(passage_cache_bytes=1 << 26))
    models = {name: replace(MODEL, adapter=adapter) for name, adapter in ADAPTERS.items()}
    settings = ScoringSettings(models, dict.fromkeys(models, config))
    caches = {id(scorer.cache) for scorer in Scoring(settings)._scorers.values()}
    assert len(caches) == 1
