"""The REST server: the rooms' routes on one FastAPI application.

A stateless process: any number may run on one database. It writes intent and shows what is in the
database; it never talks to a controller or a switch.
"""

from __future__ import annotations

import logging

import uvicorn
from fastapi import FastAPI

from gateway_lb import routes as gateway_lb_routes
from nib.database import Nib
from prewire import __version__, explain_routes, problems, switch_routes
from prewire.ports import check_free
from prewire.settings import Settings

LOG = logging.getLogger(__name__)


def application(nib: Nib) -> FastAPI:
    """The whole API on a connected database."""
    app = FastAPI(
        title="prewire",
        version=__version__,
        description="Network control plane for serverless container platforms.",
        responses=problems.RESPONSES,
        redirect_slashes=False,  # a path is right or a problem; a redirect is neither
    )
    problems.install(app)
    app.include_router(gateway_lb_routes.router(nib))
    app.include_router(switch_routes.router(nib))
    app.include_router(explain_routes.router(nib))
    return app


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. PortInUse, or NibError where the database cannot be used."""
    check_free(settings.api_host, settings.api_port, "api_port")
    with Nib(settings.nib_remote, "api") as nib:
        LOG.info("REST on %s, described on %s/docs", settings.api_url, settings.api_url)
        uvicorn.run(
            application(nib),
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
        )
