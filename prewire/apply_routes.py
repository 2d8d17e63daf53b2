"""REST: many objects at once, all or none.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from nib.committing import Waiting, commit, now_ms
from nib.database import Nib
from prewire.apply_models import ApplyIn, ApplyOut
from prewire.applying import apply
from ryu_apps.provision import reservations


class Applying(Waiting):
    """Query parameters of an application."""

    dry_run: bool = Field(False, description="change nothing; tell what would be changed")
    prune: bool = Field(
        False,
        description="of the kinds that are spoken of, delete what is not listed; a service's "
        "containers go with it",
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
        return await commit(nib, change, response, None if query.dry_run else query)

    return routes
