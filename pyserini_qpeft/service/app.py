"""The HTTP application: every path of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from pyserini_qpeft import __version__
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.page.routes import page_router


def create_app(service: Service) -> FastAPI:
    """The application over a service, which it starts and stops.

    Args:
        service: Scores, searches and explains.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(title="qpeft", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(page_router(service))
    return app
