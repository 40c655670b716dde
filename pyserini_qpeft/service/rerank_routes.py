"""Reranking by the paths and shapes of Cohere, Jina, vLLM, TEI, llama.cpp and infinity."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.answers import best_first, shown_score
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.errors import too_large
from pyserini_qpeft.service.hang_up import unless_hung_up
from pyserini_qpeft.service.requests import AnyRerankRequest, RerankRequest, ScoreRequest, TextsRequest
from pyserini_qpeft.service.responses import RerankResponse, ScoreResponse, TextRank

RERANK_PATHS = ("/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking")
SCORE_PATHS = ("/score", "/v1/score")


def rerank_router(service: Service) -> APIRouter:
    """The paths that rerank or score what the request holds.

    Args:
        service: Scores.
    """
    router = APIRouter(tags=["rerank"])

    async def rerank(request: Request, body: Annotated[AnyRerankRequest, Body()]) -> Any:
        """Documents in the order of their scores, best first. Equal scores keep the order of the request."""
        if isinstance(body, TextsRequest):
            request.state.texts_shape = True
            return JSONResponse(await unless_hung_up(request, _ranked_texts(service, body)))
        return JSONResponse(await unless_hung_up(request, _ranked_documents(service, body, request.url.path)))

    async def score(request: Request, body: ScoreRequest) -> Any:
        """The scores of pairs, in their order."""
        return JSONResponse(await unless_hung_up(request, _scores(service, body)))

    for path in RERANK_PATHS:
        router.add_api_route(path, rerank, methods=["POST"], response_model=RerankResponse | list[TextRank])
    for path in SCORE_PATHS:
        router.add_api_route(path, score, methods=["POST"], response_model=ScoreResponse)
    return router


async def _ranked_documents(service: Service, body: RerankRequest, path: str) -> dict[str, Any]:
    try:
        texts = body.texts
    except ValueError as error:
        raise QPeftError(f"{error}.") from None
    job = await service.scored(body.model, [(body.query, text) for text in texts], text_tokens=body.text_tokens)
    results = []
    for place in best_first(job.scores, body.top_n):
        result: dict[str, Any] = {
            "index": place,
            "relevance_score": shown_score(job.scores[place], job.probabilities[place], raw=body.raw),
        }
        if body.return_documents is not False:
            # Only infinity's clients send raw_scores, and they expect a string.
            plain = path == "/rerank" and "raw_scores" in body.model_fields_set
            result["document"] = texts[place] if plain else {"text": texts[place]}
        results.append(result)
    return {
        "id": _id("rerank"),
        "model": job.model,
        "results": results,
        "usage": _usage(job.tokens),
        "meta": {
            "api_version": {"version": "1" if path.startswith("/v1") else "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": job.tokens, "output_tokens": 0},
        },
    }


async def _ranked_texts(service: Service, body: TextsRequest) -> list[dict[str, Any]]:
    job = await service.scored(body.model, [(body.query, text) for text in body.texts])
    if body.truncate is False and job.texts_cut:
        raise too_large(
            f"{job.texts_cut} texts are longer than the model reads: leave out truncate, or shorten them.", "validation"
        )
    return [
        {"index": place, "score": shown_score(job.scores[place], job.probabilities[place], raw=bool(body.raw_scores))}
        | ({"text": body.texts[place]} if body.return_text else {})
        for place in best_first(job.scores, body.top_n)
    ]


async def _scores(service: Service, body: ScoreRequest) -> dict[str, Any]:
    queries = body.queries * len(body.documents) if len(body.queries) == 1 else body.queries
    job = await service.scored(
        body.model, list(zip(queries, body.documents, strict=True)), text_tokens=body.text_tokens
    )
    return {
        "id": _id("score"),
        "model": job.model,
        "data": [
            {"index": place, "object": "score", "score": shown_score(score, job.probabilities[place], raw=body.raw)}
            for place, score in enumerate(job.scores)
        ],
        "usage": _usage(job.tokens),
    }


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _id(kind: str) -> str:
    return f"{kind}-{uuid4().hex}"
