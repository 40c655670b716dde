"""The HTTP application: every path of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from pyserini_qpeft import __version__
from pyserini_qpeft.service.access import Access
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.failures import add_failures
from pyserini_qpeft.service.gate import Gate, LoggedRequests
from pyserini_qpeft.service.page.routes import page_router
from pyserini_qpeft.service.rerank_routes import rerank_router
from pyserini_qpeft.service.responses import ErrorBody
from pyserini_qpeft.service.search_routes import search_router
from pyserini_qpeft.service.status_routes import OPEN_PATHS, status_router

PAGE_PATHS = ("/", "/favicon.ico", "/page/static/")
"""Paths of the page that need no token; its JSON does."""


def create_app(service: Service, access: Access | None = None) -> FastAPI:
    """The application over a service, which it starts and stops.

    Args:
        service: Scores, searches and explains.
        access: Who may ask; None is everybody.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="qpeft",
        summary="Reranking with query-dependent prompts (Q-PEFT).",
        version=__version__,
        lifespan=lifespan,
        # Their pages load scripts from other sites.
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
    )
    page = page_router(service, service.config.examples)
    for router in (rerank_router(service), search_router(service), status_router(service), page):
        app.include_router(router)
    add_failures(app, service.metrics)
    # The last one added is the first that a request meets.
    app.add_middleware(
        Gate,
        access=access or Access(),
        limits=service.limits,
        metrics=service.metrics,
        open_paths=(*OPEN_PATHS, *PAGE_PATHS),
    )
    app.add_middleware(LoggedRequests, metrics=service.metrics)
    return app
