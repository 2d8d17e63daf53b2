"""REST: classes and policies of traffic, and rates of links.

Turns requests into changes of intent (`qos.intent`) and records into JSON. What links provide comes
from outside: it takes paths, which this room does not know. Errors are raised as the rooms raise
them; the assembled server turns them into problem+json.

Must not know: how a change reaches a switch.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from nib.database import Nib
from nib.mirror import Lookups
from qos import class_routes, link_routes, policy_routes
from qos.intent import Reservations
from qos.provision import Provision


def router(
    nib: Nib, provision: Callable[[Lookups], Provision], reservations: Reservations
) -> APIRouter:
    """The routes of this room, on a connected database."""
    routes = APIRouter(prefix="/v1")
    class_routes.add(routes, nib, reservations)
    policy_routes.add(routes, nib, provision, reservations)
    link_routes.add(routes, nib, provision, reservations)
    return routes
