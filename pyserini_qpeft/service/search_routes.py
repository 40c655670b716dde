"""Search of an index with reranking: `/v1/search`."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from pyserini_qpeft.reranking.fusion import FusionConfig
from pyserini_qpeft.service.answers import Found, Question, search_and_rerank
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.hang_up import unless_hung_up
from pyserini_qpeft.service.requests import SearchRequest
from pyserini_qpeft.service.responses import SearchResponse


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
            depth=body.depth,
            rerank=body.rerank,
            fusion=None if body.fusion == "none" else FusionConfig(body.fusion, body.fusion_weight),
        )
        found = await unless_hung_up(request, search_and_rerank(service, question))
        return JSONResponse(
            {
                "id": f"search-{uuid4().hex}",
                "index": body.index or next(iter(service.indexes)),
                "model": service.model_name(body.model) if body.rerank else None,
                "results": _hits(found, texts=body.return_documents),
                "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
                "seconds": {
                    "first_stage": round(found.first_stage_seconds, 6),
                    "rerank": round(found.rerank_seconds, 6),
                },
            }
        )

    return router


def _hits(found: Found, *, texts: bool) -> list[dict[str, Any]]:
    return [
        {
            "docid": one.hit.docid,
            "rank": one.rank,
            "score": one.score,
            "likelihood": one.likelihood,
            "probability": one.probability,
            "first_stage_score": one.hit.score,
            "first_stage_rank": one.first_stage_rank,
        }
        | ({"title": one.hit.title, "text": one.hit.text} if texts else {})
        for one in found.hits
    ]
