"""The routes of the page: the page itself, its static files, and the JSON that it asks for."""

import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator
from starlette.staticfiles import StaticFiles

from pyserini_qpeft import __version__
from pyserini_qpeft.candidates.records import Candidate
from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.service.answers import details
from pyserini_qpeft.service.hang_up import unless_hung_up
from pyserini_qpeft.service.names import Served, ServedCascade
from pyserini_qpeft.service.page.passage import pieces
from pyserini_qpeft.service.requests import Texts

if TYPE_CHECKING:
    from pyserini_qpeft.service.engine import Service
    from pyserini_qpeft.service.reranks import Reranking

STATIC = Path(__file__).parent / "static"
"""The files of the page."""

# Scripts, styles and requests come from this server only, and nothing inline. `require-trusted-types-for` makes the
# browser refuse any text that a script would turn into markup.
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
            *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
# A machine's own tables of media types may lack or change these; the browser takes no script of another type.
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


class SearchBody(BaseModel):
    """A search of an index."""

    index: str
    query: str
    k: Annotated[int, Field(ge=1)] = 20


class ScoreBody(BaseModel):
    """Passages to score, with the first stage's scores if there are any."""

    model: str
    query: str
    texts: Texts
    scores: Annotated[list[float | None], Field(fail_fast=True)] = []

    @model_validator(mode="after")
    def _fits(self) -> "ScoreBody":
        if len(self.scores) not in (0, len(self.texts)):
            raise ValueError(f"{len(self.scores)} scores for {len(self.texts)} texts")
        return self


class ExplainBody(BaseModel):
    """A pair to explain."""

    model: str
    query: str
    text: str


def page_router(service: "Service", examples: Sequence[str] = ()) -> APIRouter:
    """The router of the page.

    Args:
        service: Scores, searches and explains.
        examples: Queries that the page offers for a first try.
    """
    router = APIRouter(include_in_schema=False)
    files = StaticFiles(directory=STATIC)

    async def file(name: str, request: Request) -> Response:
        response = await files.get_response(name, request.scope)
        response.headers.update(_HEADERS)
        if media_type := _MEDIA_TYPES.get(Path(name).suffix):
            response.headers["Content-Type"] = media_type
        return response

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return await file("index.html", request)

    @router.api_route("/page/static/{name}", methods=["GET", "HEAD"])
    async def static(name: str, request: Request) -> Response:
        return await file(name, request)

    @router.get("/page/about")
    async def about() -> dict[str, Any]:
        return {
            "version": __version__,
            "models": [_described(model) for model in service.models.values()],
            "indexes": list(service.indexes),
            "examples": list(examples),
            "max_hits": service.limits.documents,
        }

    @router.post("/page/search")
    async def search(request: Request, body: SearchBody) -> dict[str, Any]:
        started = time.perf_counter()
        hits = await unless_hung_up(request, service.search(body.index, body.query, body.k))
        seconds = time.perf_counter() - started
        shown = [{"docid": hit.docid, "score": hit.score, "title": hit.title, "text": hit.text} for hit in hits]
        return {"hits": shown, "seconds": seconds}

    @router.post("/page/score")
    async def score(request: Request, body: ScoreBody) -> dict[str, Any]:
        started = time.perf_counter()
        hits = [
            text if score is None else Candidate(str(place), text, score)
            for place, (text, score) in enumerate(zip_longest(body.texts, body.scores))
        ]
        reranking = await unless_hung_up(request, service.rerank(body.model, body.query, hits))
        return {"hits": _scored(reranking), "seconds": time.perf_counter() - started}

    @router.post("/page/explain")
    async def explain(request: Request, body: ExplainBody) -> dict[str, Any]:
        explanation = await unless_hung_up(request, service.explain(body.model, body.query, body.text))
        tokens = explanation.tokens
        return {
            "tokens": [
                {
                    "token": token.token,
                    "logprob": token.logprob,
                    "logprob_without_hints": token.logprob_without_hints,
                }
                for token in tokens
            ],
            "hints": [{"token": hint.token, "similarity": hint.similarity} for hint in explanation.hints],
            "hinted": any(token.logprob != token.logprob_without_hints for token in tokens),
            "pieces": [
                {"text": piece.text, "similarity": piece.similarity, "read": piece.read, "best": piece.best}
                for piece in pieces(body.text, explanation)
            ],
            "tokens_cut": explanation.tokens_cut,
            "windows": [
                {"likelihood": window.likelihood, "best": window is explanation.best_window}
                for window in explanation.windows
            ],
        }

    return router


def _described(served: "Served") -> dict[str, Any]:
    """A model or a cascade. Without fusion the page cannot reorder by itself: it shows the order of the service."""
    if isinstance(served, ServedCascade):
        return {"name": served.name, "fusion": None, "stages": [stage.name for stage in served.stages]}
    config = served.config
    drops = config.below_depth == "drop" or config.minimum_probability is not None
    fusion = (config.fusion or FusionConfig(weight=1.0)).for_model(served.model.model)
    shown = {"method": fusion.method, "weight": fusion.weight, "rrf_k": fusion.rrf_k}
    return {"name": served.name, "fusion": None if drops else shown, "stages": []}


def _scored(reranking: "Reranking") -> list[dict[str, Any]]:
    """The hits in their new order; `place` is the place in the request."""
    return [
        {
            "place": hit.first_stage_rank - 1,
            "score": hit.score,
            "likelihood": hit.likelihood,
            "probability": hit.probability,
        }
        | details(reranking, rank)
        for rank, hit in enumerate(reranking.hits)
    ]
