"""REST: which database this is, and whose networks it may take over.

A network is programmed from one database. A controller leaves alone what another database had
programmed, until an operator says here that this one takes it over.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from nib.committing import commit
from nib.database import Nib
from nib.draft import Draft
from nib.errors import FieldError
from nib.fields import check_database
from nib.mirror import Lookups
from nib.records import Global


class AdoptIn(BaseModel):
    """Whose network is taken over."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"database": "1a2b3c4d"}]}
    )

    database: str = Field(
        description="the other database's 8 hex digits, as the switch's problem has them"
    )


class AdoptOut(BaseModel):
    """A database, and those whose networks it takes over."""

    database: str
    predecessors: list[str]


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1/adopt", tags=["fabric"])

    @routes.get("")
    def get_adopted() -> AdoptOut:
        """Which database this is, and those whose networks it takes over."""
        with nib.view() as view:
            return adopt_out(view)

    @routes.post("")
    async def adopt(body: AdoptIn, response: Response) -> AdoptOut:
        """Let this database take over the network that another one programmed: its flows are
        replaced by what this one asks for."""
        await commit(nib, lambda draft: adopted(draft, body.database), response)
        with nib.view() as view:
            return adopt_out(view)

    return routes


def adopt_out(view: Lookups) -> AdoptOut:
    """What a database says of itself."""
    itself = view.get(Global, ()) or Global()
    return AdoptOut(database=itself.database, predecessors=sorted(itself.predecessors))


def adopted(draft: Draft, database: str) -> None:
    """Take over another database's network. FieldError for what is no other database."""
    check_database("database", database)
    if database == draft.need(Global, ()).database:
        remedy = "give the one that the switch's problem names"
        raise FieldError("database", f"{database} is this database itself", remedy)
    draft.succeed(database)
