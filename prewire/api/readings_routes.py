"""REST: what goes on now: rates of links, services, containers, policies and queues.

Must not know: where readings come from.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Response

from nib.errors import FieldError
from prewire.readings.answers import Kind, Readings
from prewire.readings.late_desk import LateDesk

_ALL: Final[tuple[Kind, ...]] = get_args(Kind)

Kinds = Annotated[
    str | None,
    Query(
        description=f"of these, with commas between them: {', '.join(_ALL)}; by default all",
        examples=["links,services"],
    ),
]


def router(desk: LateDesk) -> APIRouter:
    """The route; closing the desk is the caller's."""
    routes = APIRouter(prefix="/v1")

    @routes.get("/readings", tags=["readings"], response_model=Readings)
    async def get_readings(kinds: Kinds = None) -> Response:
        """What the controller that leads reads from switches, as rates. At most one scrape a second
        of its /metrics, however many ask; where no controller answers, the last that was read."""
        return Response(await desk.told(_wanted(kinds)), media_type="application/json")

    return routes


def _wanted(kinds: str | None) -> frozenset[Kind]:
    if kinds is None:
        return frozenset(_ALL)
    asked = [kind.strip() for kind in kinds.split(",")]
    for kind in asked:
        if kind not in _ALL:
            raise FieldError("kinds", f"{kind!r} is none", f"choose from {', '.join(_ALL)}")
    return frozenset(kind for kind in _ALL if kind in asked)
