"""The calls for event loops give what the plain calls give, also many at once."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from pyserini_qpeft import QPeftError, QPeftReranker, ScoringConfig
from pyserini_qpeft.reranking.config import RerankConfig

QUERIES = ["what is the name of the river", "who sings", "the brother of Moses", "é", "the capital of France"]
TEXTS = ["Paris is the capital of France.", "The Nile runs through Egypt.", "", "Linda Davis sings", "Aaron"]


@pytest.fixture(scope="module", params=[0, 60_000])
def reranker(request: pytest.FixtureRequest, tiny_model_dir: Path) -> QPeftReranker:
    """Without and with a passage cache, which is what threads could disturb."""
    scoring = ScoringConfig(passage_cache_bytes=request.param)
    return QPeftReranker.from_pretrained(tiny_model_dir, dtype="float32", config=RerankConfig(scoring=scoring))


def hits_of(query: str) -> list[tuple[str, str, float]]:
    start = QUERIES.index(query)
    return [(f"d{place}", TEXTS[place], 9.0 - place) for place in range(start % 3, len(TEXTS))]


def test_many_calls_at_once_give_what_each_gives_alone(reranker: QPeftReranker) -> None:
    async def all_at_once() -> tuple[list, list]:
        lists = asyncio.gather(*(reranker.arerank(query, hits_of(query), k=3) for query in QUERIES * 4))
        scores = asyncio.gather(*(reranker.ascore(query, TEXTS) for query in QUERIES * 4))
        return await lists, await scores

    lists, scores = asyncio.run(all_at_once())
    for query, ranked, scored in zip(QUERIES * 4, lists, scores, strict=True):
        alone = reranker.rerank(query, hits_of(query), k=3)
        assert [hit.docid for hit in ranked] == [hit.docid for hit in alone]
        assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in alone], abs=1e-4)
        np.testing.assert_allclose(scored, reranker.score(query, TEXTS), atol=1e-5)


def test_texts_come_from_a_corpus_and_mistakes_are_raised_where_they_are_awaited(reranker: QPeftReranker) -> None:
    async def calls() -> None:
        (hit,) = await reranker.arerank("who sings", [("a", 1.0)], corpus={"a": "Linda Davis sings"})
        assert hit.text == "Linda Davis sings"
        with pytest.raises(QPeftError, match="no text for document b"):
            await reranker.arerank("who sings", [("b", 1.0)], corpus={"a": "Linda Davis sings"})
        with pytest.raises(QPeftError, match="text 1 must be a string"):
            await reranker.ascore("who sings", [3])  # type: ignore[list-item]

    asyncio.run(calls())


def test_the_event_loop_goes_on_while_a_call_scores(reranker: QPeftReranker, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = reranker.scorer.score

    def slowly(*given):
        time.sleep(0.3)
        return scored(*given)

    monkeypatch.setattr(reranker.scorer, "score", slowly)

    async def count() -> int:
        task = asyncio.ensure_future(reranker.ascore("who sings", TEXTS))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert asyncio.run(count()) > 5
