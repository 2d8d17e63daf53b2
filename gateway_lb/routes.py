"""REST: services, their containers, and what is reported of these.

Turns requests into changes of intent (`gateway_lb.intent`) and records into JSON. Errors are raised
as the rooms raise them; the assembled server turns them into problem+json.

Must not know: how a change reaches a switch. With `?wait=applied` a write returns when every switch
acknowledged it.
"""

from __future__ import annotations

from fastapi import APIRouter

from gateway_lb import container_routes, report_routes, service_routes
from gateway_lb.reports import ReportDesk
from nib.database import Nib


def router(nib: Nib, desk: ReportDesk) -> APIRouter:
    """The routes of this room, on a connected database; `desk` must be open to write reports."""
    routes = APIRouter(prefix="/v1")
    service_routes.add(routes, nib)
    container_routes.add(routes, nib)
    report_routes.add(routes, desk)
    return routes
