"""Search of an index with reranking: `/v1/search`."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from pyserini_qpeft.data.records import RankedHit
from pyserini_qpeft.service.answers import Found, Question, details, search_and_rerank
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.hang_up import unless_hung_up
from pyserini_qpeft.service.requests import SearchRequest
from pyserini_qpeft.service.reranks import Choices
from pyserini_qpeft.service.responses import SearchResponse
from pyserini_qpeft.service.searching import SearchHit


def search_router(service: Service) -> APIRouter:
    """The path that searches.

    Args:
        service: Searches and scores.
    """
    router = APIRouter(tags=["search"])

    @router.post("/v1/search", response_model=SearchResponse)
    async def search(request: Request, body: SearchRequest) -> Any:
        """The hits of a Lucene index, reranked by the rule of `qpeft search`."""
        question = Question(
            query=body.query,
            index=body.index,
            model=body.model,
            k=body.k,
            rerank=body.rerank,
            choices=Choices(body.depth, body.fusion, body.fusion_weight),
            milliseconds=body.milliseconds,
        )
        found = await unless_hung_up(request, search_and_rerank(service, question))
        tokens = found.reranking.report.tokens if found.reranking is not None else 0
        return JSONResponse(
            {
                "id": f"search-{uuid4().hex}",
                "index": body.index or next(iter(service.indexes)),
                "model": service.served(body.model).name if body.rerank else None,
                "results": _hits(found, body.k, texts=body.return_documents),
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
                "seconds": {
                    "first_stage": round(found.first_stage_seconds, 6),
                    "rerank": round(found.rerank_seconds, 6),
                },
            }
        )

    return router


def _hits(found: Found, k: int, *, texts: bool) -> list[dict[str, Any]]:
    if found.reranking is None:
        return [_hit(hit, place, place, hit.score, None, texts=texts) for place, hit in enumerate(found.hits, start=1)]
    shown = []
    for place, ranked in enumerate(found.reranking.hits[:k]):
        hit = found.hits[ranked.first_stage_rank - 1]
        fields = _hit(hit, ranked.rank, ranked.first_stage_rank, ranked.score, ranked, texts=texts)
        shown.append(fields | details(found.reranking, place))
    return shown


def _hit(
    hit: SearchHit, rank: int, first_stage_rank: int, score: float, ranked: RankedHit | None, *, texts: bool
) -> dict[str, Any]:
    return {
        "docid": hit.docid,
        "rank": rank,
        "score": score,
        "likelihood": ranked and ranked.likelihood,
        "probability": ranked and ranked.probability,
        "first_stage_score": hit.score,
        "first_stage_rank": first_stage_rank,
    } | ({"title": hit.title, "text": hit.text} if texts else {})
