"""The service for agents: an MCP server (Model Context Protocol) with the tools `rerank` and `search_and_rerank`."""

from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from pyserini_qpeft import __version__
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.access import Access
from pyserini_qpeft.service.answers import Question, best_first, search_and_rerank, shown_score
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.gate import Gate, LoggedRequests
from pyserini_qpeft.service.requests import Texts

_READ_ONLY = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}


class RankedDocument(BaseModel):
    """A document in its new place."""

    index: int = Field(description="Place of the document in the list given, from 0.")
    score: float = Field(description="0 to 1, higher is better; comparable within one query only.")
    text: str


class RankedPassage(BaseModel):
    """A passage of an index in its final place."""

    docid: str
    rank: int
    score: float
    title: str
    text: str


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
    model_field = Field(default=None, description=f"One of {models}; null is the first.")

    @server.tool(annotations=_READ_ONLY)
    async def rerank(
        query: Annotated[str, Field(description="What is asked.")],
        documents: Annotated[Texts, Field(description="The texts to order.")],
        top_n: Annotated[
            int | None, Field(default=None, ge=1, description="How many are returned; null is all.")
        ] = None,
        model: Annotated[str | None, model_field] = None,
    ) -> list[RankedDocument]:
        """Order documents by how well they answer a query, best first."""
        try:
            scores = await service.score(model, query, documents)
        except QPeftError as error:
            raise ToolError(str(error)) from error
        return [
            RankedDocument(index=place, score=shown_score(scores[place], raw=False), text=documents[place])
            for place in best_first(scores, top_n)
        ]

    if not service.indexes:
        return server

    @server.tool(name="search_and_rerank", annotations=_READ_ONLY)
    async def search_then_rerank(
        query: Annotated[str, Field(description="What is asked.")],
        k: Annotated[int, Field(ge=1, le=100, description="How many passages are returned.")] = 10,
        depth: Annotated[int, Field(ge=1, description="How many hits of the first stage are reranked.")] = 100,
        index: Annotated[str | None, Field(description=f"One of {indexes}; null is the first.")] = None,
        model: Annotated[str | None, model_field] = None,
    ) -> list[RankedPassage]:
        """Search an index with BM25 and order the passages by how well they answer the query, best first."""
        question = Question(query=query, index=index, model=model, k=k, depth=depth)
        try:
            found = await search_and_rerank(service, question)
        except QPeftError as error:
            raise ToolError(str(error)) from error
        return [
            RankedPassage(docid=one.hit.docid, rank=one.rank, score=one.score, title=one.hit.title, text=one.hit.text)
            for one in found.hits
        ]

    return server


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
