"""The REST server: the rooms' routes on one FastAPI application.

A stateless process: any number may run on one database. It writes intent and shows what is in the
database; it never talks to a controller or a switch.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from gateway_lb import plain_registration
from gateway_lb import routes as gateway_lb_routes
from gateway_lb.reports import DEFAULT_TICK_MS, ReportDesk
from nib.database import Nib
from nib.settling import settle
from nib.tls import TlsFiles
from predictor.routes import routes as predictor_routes
from prewire import __version__
from prewire.api import (
    adopt_routes,
    apply_routes,
    describing,
    event_routes,
    explain_routes,
    fabric_routes,
    health_routes,
    page_routes,
    problems,
    readings_routes,
    status_routes,
    switch_routes,
    token_routes,
)
from prewire.api.access import described
from prewire.api.access.guard import Access, Guard
from prewire.api.access.listening import check_listening
from prewire.api.access.opening import opened
from prewire.api.conditional import Conditional
from prewire.api.hosting import config_of, prepare, tls_context
from prewire.api.measures import ApiMeasures, ReportMeasures, Timed, page
from prewire.api.request_ids import RequestIds
from prewire.api.watching.ending import EndingServer
from prewire.api.watching.routes import Watching, watching
from prewire.forecasting import forecast_routes
from prewire.ports import check_ports
from prewire.readings.late_desk import LateDesk
from prewire.settings import Settings
from prewire.tracing import traced
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
    event_routes,
)


class _Identified(FastAPI):
    """FastAPI, with ids around all of its layers: also the answer to a defect, and its line, say
    which request it was."""

    def build_middleware_stack(self) -> ASGIApp:
        """The application, with its layers."""
        return RequestIds(super().build_middleware_stack())


def application(
    nib: Nib,
    report_tick_ms: int = DEFAULT_TICK_MS,
    tls: TlsFiles | None = None,
    *,
    access: Access | None = None,
    scrape_urls: Sequence[str] = (),
) -> FastAPI:
    """The whole API on a connected database; reports are written every `report_tick_ms`.

    tls: what predictors are asked with. access: who may ask, by default everybody. scrape_urls:
    controllers' /metrics.
    """
    access = access or Access()
    desk, readings = ReportDesk(nib, report_tick_ms), LateDesk(scrape_urls)
    watch = watching(nib)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        async with desk.open(), watch.open():
            yield
        await readings.close()

    app = _Identified(
        title="prewire",
        version=__version__,
        description="Network control plane for serverless container platforms.",
        responses=problems.RESPONSES,
        redirect_slashes=False,  # a path is right or a problem; a redirect is neither
        lifespan=lifespan,
    )
    problems.install(app)
    describing.install(app)
    if not access.is_open:
        described.install(app)
    app.add_middleware(Conditional)
    app.add_middleware(Guard, access=access)
    _measure(app, desk, watch)
    app.include_router(gateway_lb_routes.router(nib, desk))
    app.include_router(qos_routes.router(nib, provision, reservations))
    app.include_router(predictor_routes.router(nib))
    app.include_router(forecast_routes.router(nib, tls))
    app.include_router(token_routes.router(nib, access.known))
    app.include_router(readings_routes.router(readings))
    app.include_router(health_routes.router(nib))
    app.include_router(page_routes.router())
    for room in _ROOMS:
        app.include_router(room.router(nib))
    plain_registration.install(app, nib)
    watch.install(app)
    app.state.watching = watch
    return app


def registry_of(desk: ReportDesk, watch: Watching) -> tuple[CollectorRegistry, ApiMeasures]:
    """A registry of the server's own metrics, and those that requests are timed with."""
    registry = CollectorRegistry()
    measures = ApiMeasures(registry)
    registry.register(ReportMeasures(desk))
    registry.register(watch.measures)
    return registry, measures


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    SettingsError where it may not listen, PortInUse, or NibError where the database cannot be used.
    """
    check_listening(settings)
    check_ports(settings, "api_port")
    context = tls_context(settings)
    with (
        Nib(settings.nib_remote, "api", sees_tokens=True) as nib,
        opened(settings, nib) as access,
    ):
        LOG.info("REST on %s, described on %s/docs", settings.api_url, settings.api_url)
        app = application(
            nib,
            settings.report_tick_ms,
            settings.tls_files,
            access=access,
            scrape_urls=settings.scrape_urls,
        )
        prepare()
        settle()
        EndingServer(
            config_of(traced(app, settings), settings, context), app.state.watching.end
        ).run()


def _measure(app: FastAPI, desk: ReportDesk, watch: Watching) -> None:
    registry, measures = registry_of(desk, watch)
    app.add_middleware(Timed, measures=measures)

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        """What the server measures, for Prometheus."""
        return page(registry, request.headers.get("accept", ""))
