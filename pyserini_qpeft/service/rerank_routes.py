"""Reranking by the paths and shapes of Cohere, Jina, vLLM, TEI, llama.cpp and infinity."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.answers import details, pair_score, shown_scores
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
    reranking = await service.rerank(
        body.model, body.query, texts, text_tokens=body.text_tokens, milliseconds=body.milliseconds, raw=body.raw
    )
    scores = shown_scores(reranking.hits, raw=body.raw)
    results = []
    for place, hit in enumerate(reranking.hits[: body.top_n or None]):
        index = hit.first_stage_rank - 1
        result: dict[str, Any] = {"index": index, "relevance_score": scores[place]}
        if body.return_documents is not False:
            # Only infinity's clients send raw_scores, and they expect a string.
            plain = path == "/rerank" and "raw_scores" in body.model_fields_set
            result["document"] = texts[index] if plain else {"text": texts[index]}
        results.append(result | details(reranking, place))
    tokens = reranking.report.tokens
    return {
        "id": _id("rerank"),
        "model": service.served(body.model).name,
        "results": results,
        "usage": _usage(tokens),
        "meta": {
            "api_version": {"version": "1" if path.startswith("/v1") else "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": tokens, "output_tokens": 0},
        },
    }


async def _ranked_texts(service: Service, body: TextsRequest) -> list[dict[str, Any]]:
    raw = bool(body.raw_scores)
    reranking = await service.rerank(body.model, body.query, body.texts, milliseconds=body.milliseconds, raw=raw)
    cut = reranking.report.passages_cut
    if body.truncate is False and cut:
        raise too_large(
            f"{cut} texts are longer than the model reads: leave out truncate, or shorten them.", "validation"
        )
    scores = shown_scores(reranking.hits, raw=raw)
    ranked = []
    for hit, score in zip(reranking.hits[: body.top_n or None], scores, strict=False):
        index = hit.first_stage_rank - 1
        ranked.append({"index": index, "score": score} | ({"text": body.texts[index]} if body.return_text else {}))
    return ranked


async def _scores(service: Service, body: ScoreRequest) -> dict[str, Any]:
    queries = body.queries * len(body.documents) if len(body.queries) == 1 else body.queries
    pairs = list(zip(queries, body.documents, strict=True))
    job, calibration = await service.score_pairs(body.model, pairs, text_tokens=body.text_tokens, raw=body.raw)
    return {
        "id": _id("score"),
        "model": service.served(body.model).name,
        "data": [
            {
                "index": place,
                "object": "score",
                "score": pair_score(likelihood, job.priors.get(query), calibration, raw=body.raw),
            }
            for place, (likelihood, (query, _)) in enumerate(zip(job.likelihoods, job.pairs, strict=True))
        ],
        "usage": _usage(sum(job.tokens)),
    }


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _id(kind: str) -> str:
    return f"{kind}-{uuid4().hex}"
