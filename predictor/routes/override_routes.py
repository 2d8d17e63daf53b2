"""REST: an operator's word for a while.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response, status

from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged
from nib.prewarm import Override
from predictor.routes import intent
from predictor.routes.answers import OverrideList, OverrideOut, override_out
from predictor.routes.models import OverrideIn

_ONE = "/overrides/{kind}/{name}"

Kind = Literal["service", "policy"]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""

    @routes.get("/overrides", tags=["prediction"])
    def list_overrides(page: Paging) -> OverrideList:
        """All overrides, and how long they last."""
        with nib.view() as view:
            part, now = page.cut(view.all(Override), lambda each: each.key), now_ms()
            items = [override_out(each, now) for each in part.rows]
            return OverrideList(items=items, next=part.next)

    @routes.get(_ONE, tags=["prediction"])
    def get_override(kind: Kind, name: str, response: Response) -> OverrideOut:
        """What an operator says of a service or policy, and how long it lasts."""
        with nib.view() as view:
            override = view.need(Override, (kind, name))
            tagged(override, response)
            return override_out(override, now_ms())

    @routes.put(_ONE, tags=["prediction"], responses=put_responses(OverrideOut))
    async def put_override(
        kind: Kind, name: str, body: OverrideIn, *, response: Response, wait: Wait, given: If
    ) -> OverrideOut:
        """Set a service's containers or a policy's rates for a while, whatever is planned. Give
        `until` or `for`; after that the plan is in force again by itself."""
        now = now_ms()
        change = intent.put(body.record(kind, name, now))
        change = conditional(change, given, row(Override, (kind, name)))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        return override_out(stored.record, now)

    @routes.delete(_ONE, tags=["prediction"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_override(
        kind: Kind, name: str, response: Response, wait: Wait, given: If
    ) -> None:
        """End an override now: the plan is in force again."""
        key = (kind, name)
        change = conditional(intent.delete(Override, key), given, row(Override, key))
        await commit(nib, change, response, wait)
