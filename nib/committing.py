"""Writes of REST: committed with their events, answered with their generation, and awaited where
that is asked for.

Must not know: what a change changes, or how it is known who asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import Query, Response, status
from pydantic import BaseModel, Field

from nib.acknowledgement import applied
from nib.changelog import NOBODY, Actor, record_changes
from nib.database import Nib
from nib.draft import Draft

T = TypeVar("T")

# Who asks in this request; set around it.
ACTOR: Final[ContextVar[Actor]] = ContextVar("actor", default=NOBODY)


class Waiting(BaseModel):
    """Query parameters of every write."""

    wait: Literal["applied"] | None = Field(
        None, description="`applied`: return when every switch has acknowledged the change"
    )
    timeout: float = Field(
        10, gt=0, le=300, description="seconds to wait at most; then 504, and the change is kept"
    )


Wait = Annotated[Waiting, Query()]

_GENERATION: Final = {
    "Prewire-Generation": {
        "description": "number of the change; switches acknowledge it",
        "schema": {"type": "integer"},
    },
    "ETag": {"description": "of the object's intent, for If-Match", "schema": {"type": "string"}},
}


def now_ms() -> int:
    """Milliseconds since 1970."""
    return round(time.time() * 1000)


async def commit(
    nib: Nib, change: Callable[[Draft], T], response: Response, wait: Waiting | None = None
) -> T:
    """Commit a change and its events, and wait for the switches where that is asked for."""
    committed = await asyncio.wrap_future(nib.write(_told(change, ACTOR.get(), now_ms())))
    response.headers["Prewire-Generation"] = str(committed.generation)
    if wait is not None and wait.wait:
        await applied(nib, committed.generation, wait.timeout)
    return committed.value


def _told(change: Callable[[Draft], T], actor: Actor, at_ms: int) -> Callable[[Draft], T]:
    """The change, with the events of what it changed."""

    def changed(draft: Draft) -> T:
        mark = draft.mark
        value = change(draft)
        record_changes(draft, draft.changes_since(mark), actor, at_ms)
        return value

    return changed


def put_responses(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answers of a PUT, for the description."""
    return {
        status.HTTP_200_OK: {"headers": _GENERATION, "description": "changed, or was so already"},
        status.HTTP_201_CREATED: {
            "headers": _GENERATION, "description": "created", "model": model
        },
    }  # fmt: skip


def status_of(created: bool) -> int:
    """The status of a PUT."""
    return status.HTTP_201_CREATED if created else status.HTTP_200_OK
