"""REST: what links can carry: rates that were stated, and what is guaranteed and free.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from nib.committing import Wait, commit, put_responses, status_of
from nib.database import Nib
from nib.errors import NotFound
from nib.mirror import Lookups
from nib.paging import Paging
from nib.places import switch_called
from nib.preconditions import If, conditional, row, tagged
from nib.qos import LinkRate
from qos import intent
from qos.answers import LinkRateList, LinkRateOut, link_rate_list, link_rate_out
from qos.bandwidth import BandwidthList, bandwidth_list
from qos.intent import Reservations
from qos.models import LinkRateIn
from qos.naming import link_called
from qos.provision import Provision

_ONE = "/link-rates/{switch}/{port}"

OneSwitch = Annotated[
    str | None, Query(description="datapath id or bridge name; all switches by default")
]


def add(
    routes: APIRouter,
    nib: Nib,
    provision: Callable[[Lookups], Provision],
    reservations: Reservations,
) -> None:
    """Add the routes."""
    _add_reading(routes, nib, provision)
    _add_writing(routes, nib, reservations)


def _add_reading(routes: APIRouter, nib: Nib, provision: Callable[[Lookups], Provision]) -> None:
    @routes.get("/link-rates", tags=["qos"])
    def list_link_rates(page: Paging) -> LinkRateList:
        """All rates that were stated."""
        with nib.view() as view:
            return link_rate_list(view, page)

    @routes.get(_ONE, tags=["qos"])
    def get_link_rate(switch: str, port: str, response: Response) -> LinkRateOut:
        """The rate that was stated of one port."""
        with nib.view() as view:
            key = link_called(switch, port, view)
            rate = view.get(LinkRate, key)
            if rate is None:
                raise NotFound("link rate", key)
            tagged(rate, response)
            return link_rate_out(rate, view)

    @routes.get("/bandwidth", tags=["qos"])
    def list_bandwidth(page: Paging, switch: OneSwitch = None) -> BandwidthList:
        """What leaves by each port: its rate, what of it is guaranteed and free, by class, and how
        queues are enforced there."""
        with nib.view() as view:
            dpid = None if switch is None else switch_called(switch, view).dpid
            return bandwidth_list(view, provision(view), switch=dpid, page=page)


def _add_writing(routes: APIRouter, nib: Nib, reservations: Reservations) -> None:
    @routes.put(_ONE, tags=["qos"], responses=put_responses(LinkRateOut))
    async def put_link_rate(
        switch: str, port: str, body: LinkRateIn, *, response: Response, wait: Wait, given: If
    ) -> LinkRateOut:
        """State what a port can carry outward, where it is not what the port says. The port need
        not be there yet, the switch must be known."""
        with nib.view() as view:
            key = link_called(switch, port, view)
        change = intent.put_link_rate(body.record(*key), reservations)
        change = conditional(change, given, row(LinkRate, key))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return link_rate_out(stored.record, view)

    @routes.delete(_ONE, tags=["qos"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_link_rate(
        switch: str, port: str, response: Response, wait: Wait, given: If
    ) -> None:
        """Go by what the port says again."""
        with nib.view() as view:
            key = link_called(switch, port, view)
        change = intent.delete_link_rate(key, reservations)
        await commit(nib, conditional(change, given, row(LinkRate, key)), response, wait)
