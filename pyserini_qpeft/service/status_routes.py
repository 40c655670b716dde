"""What is served and how it is: models, health, readiness, metrics."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pyserini_qpeft.service.engine import Service

OPEN_PATHS = ("/healthz", "/health", "/readyz")
"""Paths that need no token."""


def status_router(service: Service) -> APIRouter:
    """The paths that say what is served and how it is.

    Args:
        service: The service.
    """
    router = APIRouter(tags=["status"])
    began = int(time.time())

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The models by name, in the shape of OpenAI's list, and the indexes."""
        return {
            "object": "list",
            "data": [
                {
                    "id": model.name,
                    "object": "model",
                    "created": began,
                    "owned_by": "pyserini-qpeft",
                    "root": model.base,
                    "adapter": model.adapter,
                    "fusion_weight": model.fusion_weight,
                }
                for model in service.models.values()
            ],
            "indexes": list(service.indexes),
        }

    async def healthz() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    for path in ("/healthz", "/health"):
        router.add_api_route(path, healthz, methods=["GET"])

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """Whether all models and indexes are loaded: 200, or 503."""
        workers = {name: worker.ready for name, worker in service.workers.items()}
        return JSONResponse({"ready": service.ready, "workers": workers}, status_code=200 if service.ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Counters in Prometheus's text format."""
        return Response(service.metrics_text(), media_type=CONTENT_TYPE_LATEST)

    return router
