"""REST: how services scale.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged
from nib.prewarm import Scaling
from predictor.routes import intent
from predictor.routes.answers import ScalingList, ScalingOut, scaling_out
from predictor.routes.models import ScalingIn

_ONE = "/services/{name}/scaling"

OneService = Annotated[str | None, Query(description="name of a service; all by default")]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""

    @routes.get("/scalings", tags=["prediction"])
    def list_scalings(page: Paging, service: OneService = None) -> ScalingList:
        """Services that scale by their load, each with its plan."""
        with nib.view() as view:
            chosen = [each for each in view.all(Scaling) if service in (None, each.service)]
            part, now = page.cut(chosen, lambda each: each.service), now_ms()
            items = [scaling_out(each, view, now) for each in part.rows]
            return ScalingList(items=items, next=part.next)

    @routes.get(_ONE, tags=["prediction"])
    def get_scaling(name: str, response: Response) -> ScalingOut:
        """How a service scales, with its plan and what it has."""
        with nib.view() as view:
            scaling = view.need(Scaling, name)
            tagged(scaling, response)
            return scaling_out(scaling, view, now_ms())

    @routes.put(_ONE, tags=["prediction"], responses=put_responses(ScalingOut))
    async def put_scaling(
        name: str, body: ScalingIn, response: Response, wait: Wait, given: If
    ) -> ScalingOut:
        """Have a service's containers follow its load; what is left out takes its default."""
        change = conditional(intent.put(body.record(name)), given, row(Scaling, name))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return scaling_out(stored.record, view, now_ms())

    @routes.delete(_ONE, tags=["prediction"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_scaling(name: str, response: Response, wait: Wait, given: If) -> None:
        """Leave a service's containers to whoever starts them; those it has stay."""
        change = conditional(intent.delete(Scaling, name), given, row(Scaling, name))
        await commit(nib, change, response, wait)
