"""REST: policies whose rates follow the forecast.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged
from nib.prewarm import Provisioning
from predictor.routes import intent
from predictor.routes.answers import ProvisioningList, ProvisioningOut, provisioning_out
from predictor.routes.models import ProvisioningIn

_ONE = "/policies/{name}/provisioning"

OnePolicy = Annotated[str | None, Query(description="name of a policy; all by default")]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""

    @routes.get("/provisionings", tags=["prediction"])
    def list_provisionings(page: Paging, policy: OnePolicy = None) -> ProvisioningList:
        """Policies whose rates follow the forecast, each with its plan and the rates in force."""
        with nib.view() as view:
            chosen = [each for each in view.all(Provisioning) if policy in (None, each.policy)]
            part, now = page.cut(chosen, lambda each: each.policy), now_ms()
            items = [provisioning_out(each, view, now) for each in part.rows]
            return ProvisioningList(items=items, next=part.next)

    @routes.get(_ONE, tags=["prediction"])
    def get_provisioning(name: str, response: Response) -> ProvisioningOut:
        """Which rates of a policy follow the forecast, with its plan and the rates in force."""
        with nib.view() as view:
            provisioning = view.need(Provisioning, name)
            tagged(provisioning, response)
            return provisioning_out(provisioning, view, now_ms())

    @routes.put(_ONE, tags=["prediction"], responses=put_responses(ProvisioningOut))
    async def put_provisioning(
        name: str, body: ProvisioningIn, response: Response, wait: Wait, given: If
    ) -> ProvisioningOut:
        """Have a policy's rates follow the forecast; what is left out takes its default."""
        change = conditional(intent.put(body.record(name)), given, row(Provisioning, name))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return provisioning_out(stored.record, view, now_ms())

    @routes.delete(_ONE, tags=["prediction"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_provisioning(name: str, response: Response, wait: Wait, given: If) -> None:
        """Let a policy have its own rates again."""
        change = conditional(intent.delete(Provisioning, name), given, row(Provisioning, name))
        await commit(nib, change, response, wait)
