"""The service itself: models by name, indexes by name, and the three things that are asked of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.registry import DEFAULT_MODEL
from pyserini_qpeft.service.config import ServiceConfig

if TYPE_CHECKING:
    from pyserini_qpeft.reranking.explanation import Explanation


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that requests name.

    Attributes:
        name: The name in requests.
        base: Name, hub id or folder of the base model.
        adapter: Name, hub id or folder of the adapter; None is the default adapter of the base model.
        fusion_weight: Share of the likelihood in the fused score, 0 to 1, that was chosen for the base model.
    """

    name: str
    base: str
    adapter: str | None
    fusion_weight: float


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A hit of the first stage, with its text.

    Attributes:
        docid: Id of the passage.
        score: Score of the first stage.
        title: Title, if the index stores one; else empty.
        text: The text that is scored, with the title.
    """

    docid: str
    score: float
    title: str
    text: str


class Service:
    """Scores, searches and explains. Used as `async with Service(config) as service`.

    Args:
        config: What is served.

    Attributes:
        config: As given.
        models: The models by name; the first is the default.
        indexes: The names of the indexes; the first is the default.
    """

    def __init__(self, config: ServiceConfig | None = None) -> None:
        self.config = config or ServiceConfig()
        self.models = _served_models(self.config)
        self.indexes = list(_index_folders(self.config))
        self._rerankers: dict[str, Any] = {}
        self._searchers: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Load the models and open the indexes."""
        await asyncio.to_thread(self._load)

    async def stop(self) -> None:
        """Answer what was accepted, then release the models."""

    async def score(self, model: str | None, query: str, texts: Sequence[str]) -> list[float]:
        """Mean natural-log probability of the query's tokens given each text, in the order of the texts.

        Args:
            model: Name of a served model; None is the default.
            query: The query.
            texts: The passages.

        Raises:
            QPeftError: There is no such model, or the query is empty.
        """
        scores = await asyncio.to_thread(self._reranker(model).score, query, list(texts))
        return [float(score) for score in scores]

    async def search(self, index: str | None, query: str, k: int = 10) -> list[SearchHit]:
        """The hits of an index, best first.

        Args:
            index: Name of an index; None is the default.
            query: The query.
            k: How many hits are found at most.

        Raises:
            QPeftError: There is no such index.
        """
        return await asyncio.to_thread(self._search, index, query, k)

    async def explain(self, model: str | None, query: str, text: str) -> "Explanation":
        """The parts of one likelihood: hints, and the score of each query token with and without them.

        Args:
            model: Name of a served model; None is the default.
            query: The query.
            text: The passage.
        """
        explanation: Explanation = await asyncio.to_thread(self._reranker(model).explain, query, text)
        return explanation

    def _load(self) -> None:
        from pyserini_qpeft.lucene.stored import open_searcher
        from pyserini_qpeft.reranking.config import RerankConfig
        from pyserini_qpeft.reranking.reranker import QPeftReranker

        for name, served in self.models.items():
            named = replace(self.config.model, adapter=served.adapter)
            self._rerankers[name] = QPeftReranker.from_config(named, RerankConfig(scoring=self.config.scoring))
        for name, folder in _index_folders(self.config).items():
            self._searchers[name] = open_searcher(folder)

    def _reranker(self, model: str | None) -> Any:
        name = next(iter(self._rerankers)) if model is None else model
        if name not in self._rerankers:
            raise QPeftError(f"there is no model {name!r} here: use one of {', '.join(self._rerankers)}.")
        return self._rerankers[name]

    def _search(self, index: str | None, query: str, k: int) -> list[SearchHit]:
        from pyserini_qpeft.candidates.texts import stored_text

        name = next(iter(self._searchers), None) if index is None else index
        if name is None or name not in self._searchers:
            raise QPeftError(f"there is no index {name!r} here: use one of {', '.join(self._searchers) or 'none'}.")
        hits = []
        for hit in self._searchers[name].search(query, k):
            text = stored_text(hit.lucene_document.get("raw"), hit.lucene_document.get("contents")) or ""
            first, newline, _ = text.partition("\n")
            hits.append(SearchHit(hit.docid, float(hit.score), first if newline else "", text))
        return hits


def _served_models(config: ServiceConfig) -> dict[str, ServedModel]:
    from pyserini_qpeft.models.registry import fusion_weight

    base = config.model.model or DEFAULT_MODEL
    weight = fusion_weight(config.model.model)
    first = Path(base).name
    models = {first: ServedModel(first, base, config.model.adapter, weight)}
    for given in config.adapters:
        name, equals, adapter = given.partition("=")
        adapter = adapter if equals else name
        models[name] = ServedModel(name, base, adapter, weight)
    return models


def _index_folders(config: ServiceConfig) -> dict[str, str]:
    folders = {}
    for given in config.index:
        name, equals, folder = given.partition("=")
        folders[name if equals else Path(given).name] = folder if equals else given
    return folders
