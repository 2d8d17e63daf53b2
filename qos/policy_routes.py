"""REST: policies of traffic between services.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response, status

from nib.committing import Wait, commit, put_responses, status_of
from nib.database import Nib
from nib.mirror import Lookups
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged
from nib.qos import Policy
from qos import intent
from qos.answers import PolicyList, PolicyOut, policy_list, policy_out
from qos.intent import Reservations
from qos.models import PolicyIn
from qos.provision import Provision


def add(
    routes: APIRouter,
    nib: Nib,
    provision: Callable[[Lookups], Provision],
    reservations: Reservations,
) -> None:
    """Add the routes."""

    @routes.get("/policies", tags=["qos"])
    def list_policies(page: Paging) -> PolicyList:
        """All policies, with how they stand."""
        with nib.view() as view:
            return policy_list(view, provision(view), page)

    @routes.get("/policies/{name}", tags=["qos"])
    def get_policy(name: str, response: Response) -> PolicyOut:
        """One policy: how it stands, the links it has its guarantee on, what is let through."""
        with nib.view() as view:
            policy = view.need(Policy, name)
            tagged(policy, response)
            return policy_out(policy, view, provision(view))

    @routes.put("/policies/{name}", tags=["qos"], responses=put_responses(PolicyOut))
    async def put_policy(
        name: str, body: PolicyIn, response: Response, wait: Wait, given: If
    ) -> PolicyOut:
        """Create or replace a policy; what is left out takes its default."""
        change = intent.put_policy(body.record(name), reservations)
        stored = await commit(nib, conditional(change, given, row(Policy, name)), response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return policy_out(stored.record, view, provision(view))

    @routes.delete("/policies/{name}", tags=["qos"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_policy(name: str, response: Response, wait: Wait, given: If) -> None:
        """Delete a policy: its traffic has no guarantee and no limit any more."""
        change = conditional(intent.delete_policy(name), given, row(Policy, name))
        await commit(nib, change, response, wait)
