"""Whether the server lives, and whether it can serve: for service managers and Kubernetes.

Without a token, and telling nothing else.
"""

from __future__ import annotations

from fastapi import APIRouter, status
from fastapi.responses import PlainTextResponse

from nib.database import Nib


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    async def lives() -> PlainTextResponse:
        """It lives."""
        return PlainTextResponse("ok\n")

    @routes.get("/readyz")
    async def is_ready() -> PlainTextResponse:
        """200 while the database answers, 503 while it is away."""
        if nib.connected:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the database is away\n", status.HTTP_503_SERVICE_UNAVAILABLE)

    return routes
