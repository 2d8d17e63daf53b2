"""REST: capacity intent, plans, prewarm requests and dependencies.

Turns requests into changes of intent (`predictor.routes.intent`) and records into JSON. Errors are
raised as the rooms raise them; the assembled server turns them into problem+json.

Must not know: how a change reaches a switch, forecasts, who makes plans.
"""

from __future__ import annotations

from fastapi import APIRouter

from nib.database import Nib
from predictor.routes import (
    dependency_routes,
    override_routes,
    plan_routes,
    provisioning_routes,
    scaling_routes,
    schedule_routes,
)


def router(nib: Nib) -> APIRouter:
    """The routes of this room, on a connected database."""
    routes = APIRouter(prefix="/v1")
    for each in (
        scaling_routes,
        provisioning_routes,
        schedule_routes,
        override_routes,
        dependency_routes,
        plan_routes,
    ):
        each.add(routes, nib)
    return routes
