"""REST: many objects at once, all or none.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from nib.committing import Waiting, commit, now_ms
from nib.database import Nib
from nib.preconditions import unless_overtaken
from prewire.documents.applying import apply
from prewire.documents.models import ApplyIn, ApplyOut
from ryu_apps.provision import reservations


class Applying(Waiting):
    """Query parameters of an application."""

    dry_run: bool = Field(False, description="change nothing; tell what would be changed")
    prune: bool = Field(
        False,
        description="of the kinds that are spoken of, delete what is not listed; a service's "
        "containers go with it",
    )
    if_generation: int | None = Field(
        None,
        ge=0,
        description="apply only if intent is still at this generation, as a dry run answered; else "
        "412",
    )


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1")

    @routes.post("/apply", tags=["apply"])
    async def apply_document(
        body: ApplyIn, response: Response, query: Annotated[Applying, Query()]
    ) -> ApplyOut:
        """Make all objects as they are listed, or change nothing where anything is wrong.

        An object that is there is replaced: what is left out of it takes its default. What is not
        listed stays, but for `prune`.
        """
        change = apply(body, reservations, now_ms(), prune=query.prune, dry_run=query.dry_run)
        change = unless_overtaken(change, query.if_generation)
        return await commit(nib, change, response, None if query.dry_run else query)

    return routes
