"""The REST server: the rooms' routes on one FastAPI application.

A stateless process: any number may run on one database. It writes intent and shows what is in the
database; it never talks to a controller or a switch.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gateway_lb import routes as gateway_lb_routes
from gateway_lb.reports import DEFAULT_TICK_MS, ReportDesk
from nib.database import Nib
from nib.tls import TlsFiles
from prewire import (
    __version__,
    adopt_routes,
    apply_routes,
    explain_routes,
    fabric_routes,
    problems,
    status_routes,
    switch_routes,
)
from prewire.api_measures import ApiMeasures, ReportMeasures, Timed
from prewire.ports import check_free
from prewire.settings import Settings
from qos import routes as qos_routes
from ryu_apps.provision import provision, reservations

LOG = logging.getLogger(__name__)

_ROOMS: Final = (
    status_routes,
    switch_routes,
    fabric_routes,
    adopt_routes,
    explain_routes,
    apply_routes,
)


def application(nib: Nib, report_tick_ms: int = DEFAULT_TICK_MS) -> FastAPI:
    """The whole API on a connected database; reports are written every `report_tick_ms`."""
    desk = ReportDesk(nib, report_tick_ms)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with desk.open():
            yield

    app = FastAPI(
        title="prewire",
        version=__version__,
        description="Network control plane for serverless container platforms.",
        responses=problems.RESPONSES,
        redirect_slashes=False,  # a path is right or a problem; a redirect is neither
        lifespan=lifespan,
    )
    problems.install(app)
    _measure(app, desk)
    app.include_router(gateway_lb_routes.router(nib, desk))
    app.include_router(qos_routes.router(nib, provision, reservations))
    for room in (
        status_routes,
        switch_routes,
        fabric_routes,
        adopt_routes,
        explain_routes,
        apply_routes,
    ):
        app.include_router(room.router(nib))
    return app


def registry_of(desk: ReportDesk) -> tuple[CollectorRegistry, ApiMeasures]:
    """A registry of the server's own metrics, and those that requests are timed with."""
    registry = CollectorRegistry()
    measures = ApiMeasures(registry)
    registry.register(ReportMeasures(desk))
    return registry, measures


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. PortInUse, or NibError where the database cannot be used."""
    check_free(settings.api_host, settings.api_port, "api_port")
    with Nib(settings.nib_remote, "api") as nib:
        LOG.info("REST on %s, described on %s/docs", settings.api_url, settings.api_url)
        uvicorn.run(
            application(nib, settings.report_tick_ms),
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
            **_secured(settings.tls_files),
        )


def _secured(files: TlsFiles | None) -> dict[str, Any]:
    """What uvicorn is told for TLS; clients are asked for no certificate."""
    return {} if files is None else {"ssl_certfile": files.cert, "ssl_keyfile": files.key}


def _measure(app: FastAPI, desk: ReportDesk) -> None:
    registry, measures = registry_of(desk)
    app.add_middleware(Timed, measures=measures)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """What the server measures, for Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
