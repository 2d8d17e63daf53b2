"""REST: what happened, the newest first.

Must not know: who records events, how long they are kept.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from nib.database import Nib
from nib.events import MAX_EVENTS, Event
from nib.mirror import Lookups
from nib.paging import ALL, Next, Page, Paging
from nib.records import field_values

Kind: TypeAlias = Literal[
    "service",
    "container",
    "class",
    "policy",
    "link-rate",
    "scaling",
    "provisioning",
    "schedule",
    "override",
    "dependency",
    "token",
    "switch",
    "link",
    "leader",
    "health",
    "plan",
    "rate",
    "prewarm",
]
Severity: TypeAlias = Literal["info", "warning"]


class EventOut(BaseModel):
    """One thing that happened to one object."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01a2018f7e2c5f3a9c01",
                    "at_ms": 1795322807852,
                    "kind": "service",
                    "name": "web",
                    "action": "changed",
                    "severity": "info",
                    "actor": "alice",
                    "reason": "max_connections - -> 500",
                    "request": "6f1c2d9e",
                    "generation": 12,
                }
            ]
        }
    )

    id: str = Field(description="sorts by time")
    at_ms: int = Field(description="when, milliseconds since 1970")
    kind: Kind
    name: str = Field(description="of the object; several parts joined by a slash")
    action: str = Field(description="what became of it, as in `created` or `disconnected`")
    severity: Severity
    actor: str = Field(description="who did it; empty where nobody is known")
    reason: str = Field(description="what is different, or why; or empty")
    request: str = Field(description="id of the HTTP request behind it (X-Request-Id); or empty")
    generation: int = Field(description="the change of intent that it was; 0: none")


class EventList(BaseModel):
    """Events, the newest first."""

    items: list[EventOut]
    next: Next = None


class Asked(BaseModel):
    """Query parameters: which events are meant."""

    kind: Kind | None = Field(None, description="of the object")
    name: str | None = Field(None, description="of the object")
    severity: Severity | None = Field(None, description="how grave it is")
    actor: str | None = Field(None, description="who did it")
    since: int = Field(0, ge=0, description="not older, milliseconds since 1970")


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1/events", tags=["events"])

    @routes.get("", description=f"What happened, the newest first; {MAX_EVENTS} are kept.")
    def list_events(page: Paging, asked: Annotated[Asked, Query()]) -> EventList:
        with nib.view() as view:
            return event_list(view, asked, page)

    @routes.get("/{event_id}")
    def get_event(event_id: str) -> EventOut:
        """One event."""
        with nib.view() as view:
            return event_out(view.need(Event, event_id))

    return routes


def event_list(view: Lookups, asked: Asked, page: Page = ALL) -> EventList:
    """Those that are asked for, the newest first."""
    wanted = asked.model_dump(exclude_none=True, exclude={"since"})
    meant = [each for each in view.all(Event) if _is_meant(each, wanted, asked.since)]
    part = page.cut(meant, lambda event: event.id, falling=True)
    return EventList(items=[event_out(each) for each in part.rows], next=part.next)


def event_out(event: Event) -> EventOut:
    """An event as it was recorded."""
    return EventOut.model_validate(field_values(event))


def _is_meant(event: Event, wanted: dict[str, str], since_ms: int) -> bool:
    if event.at_ms < since_ms:
        return False
    return all(getattr(event, field) == value for field, value in wanted.items())
