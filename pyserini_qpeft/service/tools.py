"""The service for agents: an MCP server (Model Context Protocol) with the tools `rerank` and `search_and_rerank`."""

from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from pyserini_qpeft import __version__
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.access import Access
from pyserini_qpeft.service.answers import Question, details, search_and_rerank, shown_scores
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.gate import Gate, LoggedRequests
from pyserini_qpeft.service.requests import Texts
from pyserini_qpeft.service.reranks import Choices, Reranking

_READ_ONLY = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}


class RankedDocument(BaseModel):
    """A document in its new place."""

    index: int = Field(description="Place of the document in the list given, from 0.")
    score: float = Field(
        description="0 to 1, higher is better: the probability of relevance if the model has a calibration; otherwise "
        "comparable within one query only."
    )
    probability: float | None = Field(
        description="Probability that the document is relevant, if it was scored and the model has a calibration."
    )
    text: str
    best_passage: str | None = Field(
        default=None, description="The part of a long document that answers the query best, if it is read in parts."
    )
    stage: str | None = Field(default=None, description="The last model of a cascade that scored it.")


class RankedPassage(BaseModel):
    """A passage of an index in its final place."""

    docid: str
    rank: int
    score: float
    probability: float | None = Field(
        description="Probability that the passage is relevant, if it was scored and the model has a calibration."
    )
    title: str
    text: str
    best_passage: str | None = Field(
        default=None, description="The part of a long document that answers the query best, if it is read in parts."
    )
    stage: str | None = Field(default=None, description="The last model of a cascade that scored it.")


def create_mcp(service: Service) -> "FastMCP[Any]":
    """The MCP server over a service that is started already.

    Args:
        service: Scores and searches.
    """
    models, indexes = ", ".join(service.models), ", ".join(service.indexes)
    server: FastMCP[Any] = FastMCP(
        "qpeft",
        version=__version__,
        instructions="Reorders passages by how well they answer a query (Q-PEFT)."
        + (f" Searches the Lucene indexes {indexes}." if indexes else ""),
    )
    model_field = Field(
        default=None,
        description=f"One of {models}, or several of them one after the other, such as MODEL@100,OTHER@10; null is the "
        "first.",
    )
    time_field = Field(
        default=None, gt=0, description="Time limit in milliseconds: what is not scored in time stays below the others."
    )

    @server.tool(annotations=_READ_ONLY)
    async def rerank(
        query: Annotated[str, Field(description="What is asked.")],
        documents: Annotated[Texts, Field(description="The texts to order.")],
        top_n: Annotated[
            int | None, Field(default=None, ge=1, description="How many are returned; null is all.")
        ] = None,
        model: Annotated[str | None, model_field] = None,
        milliseconds: Annotated[float | None, time_field] = None,
    ) -> list[RankedDocument]:
        """Order documents by how well they answer a query, best first."""
        try:
            reranking = await service.rerank(model, query, documents, milliseconds=milliseconds)
        except QPeftError as error:
            raise ToolError(str(error)) from error
        scores = shown_scores(reranking.hits, raw=False)
        return [
            RankedDocument(
                index=hit.first_stage_rank - 1,
                score=scores[place],
                probability=hit.probability,
                text=documents[hit.first_stage_rank - 1],
                **_best(reranking, place),
            )
            for place, hit in enumerate(reranking.hits[:top_n])
        ]

    if not service.indexes:
        return server

    @server.tool(name="search_and_rerank", annotations=_READ_ONLY)
    async def search_then_rerank(
        query: Annotated[str, Field(description="What is asked.")],
        k: Annotated[int, Field(ge=1, le=100, description="How many passages are returned.")] = 10,
        depth: Annotated[
            int | None,
            Field(ge=1, description="How many hits of the first stage are reranked; null is the model's own, or 100."),
        ] = None,
        index: Annotated[str | None, Field(description=f"One of {indexes}; null is the first.")] = None,
        model: Annotated[str | None, model_field] = None,
        milliseconds: Annotated[float | None, time_field] = None,
    ) -> list[RankedPassage]:
        """Search an index with BM25 and order the passages by how well they answer the query, best first."""
        question = Question(query, index, model, k, choices=Choices(depth), milliseconds=milliseconds)
        try:
            found = await search_and_rerank(service, question)
        except QPeftError as error:
            raise ToolError(str(error)) from error
        reranking = found.reranking
        assert reranking is not None
        passages = []
        for place, ranked in enumerate(reranking.hits[:k]):
            hit = found.hits[ranked.first_stage_rank - 1]
            passages.append(
                RankedPassage(
                    docid=hit.docid,
                    rank=ranked.rank,
                    score=ranked.score,
                    probability=ranked.probability,
                    title=hit.title,
                    text=hit.text,
                    **_best(reranking, place),
                )
            )
        return passages

    return server


def _best(reranking: Reranking, place: int) -> dict[str, str | None]:
    known = details(reranking, place)
    best = known.get("best_passage")
    return {"best_passage": best and best["text"], "stage": known.get("stage")}


def guarded_mcp(server: "FastMCP[Any]", service: Service, access: Access) -> ASGIApp:
    """The MCP server over HTTP, behind the same gate as the other paths.

    Args:
        server: What `create_mcp` returned.
        service: Its service.
        access: Who may ask.
    """
    # The tools keep nothing between calls; a session that an agent leaves open would stay in memory.
    app = server.http_app(path="/mcp", stateless_http=True)
    gate = Gate(app, access, service.limits, service.metrics, open_paths=())
    return LoggedRequests(gate, service.metrics)
