"""The routes of the page: the page itself, its static files, and the JSON that it asks for."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

if TYPE_CHECKING:
    from pyserini_qpeft.service.engine import Service


def page_router(service: "Service") -> APIRouter:
    """The router of the page.

    Args:
        service: Scores, searches and explains.
    """
    return APIRouter(include_in_schema=False)
