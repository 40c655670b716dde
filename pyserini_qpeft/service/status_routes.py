"""What is served and how it is: models, health, readiness, metrics."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pyserini_qpeft.reranking.config import RerankConfig
from pyserini_qpeft.service.engine import Service
from pyserini_qpeft.service.names import Served, ServedCascade

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
                {"id": name, "object": "model", "created": began, "owned_by": "pyserini-qpeft", **_described(one)}
                for name, one in service.models.items()
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


def _rescored(config: RerankConfig) -> dict[str, Any]:
    """Which hits are rescored. Numbers of numpy, which JSON has no form for, become those of Python."""
    depth, margin = config.depth, config.margin
    return {"depth": None if depth is None else int(depth), "margin": None if margin is None else float(margin)}


def _described(served: Served) -> dict[str, Any]:
    if isinstance(served, ServedCascade):
        stages = [{"model": stage.name, **_rescored(stage.config)} for stage in served.stages]
        return {"stages": stages, "milliseconds": served.milliseconds}
    config = served.config
    fusion = config.fusion and config.fusion.for_model(served.model.model)
    return {
        "root": served.base,
        "adapter": served.model.adapter,
        **_rescored(config),
        "fusion_weight": fusion and fusion.weight,
        "windows": config.windows and config.windows.combine,
        "adaptive": served.adaptive,
        "milliseconds": config.milliseconds,
    }
