"""REST: the containers of a service, their leases and their draining.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response, status

from gateway_lb import intent, lifecycle
from gateway_lb.answers import (
    Chosen,
    ContainerList,
    ContainerOut,
    LeaseOut,
    State,
    all_containers,
    container_list,
    container_out,
)
from gateway_lb.intent import Registration
from gateway_lb.models import ContainerIn
from nib.committing import Wait, Waiting, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.intent import Container, Service
from nib.paging import Paging
from nib.places import dpid_called
from nib.preconditions import If, Preconditions, conditional, row, tagged

_ALL = "/services/{name}/containers"
_ONE = f"{_ALL}/{{container_id}}"

DRAIN: Final = "60s"  # where a DELETE does not say

Drain = Annotated[
    str,
    Query(
        description="how long established connections are kept, as in 60s, 500ms, 2m or 60; "
        "0 resets them at once",
    ),
]
OneService = Annotated[str | None, Query(description="name of a service; all by default")]
OneSwitch = Annotated[
    str | None, Query(description="where it is: datapath id or bridge name; anywhere by default")
]
OneVersion = Annotated[str | None, Query(description="of its software; any by default")]
OneState = Annotated[State | None, Query(description="only those in this state")]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_registering(routes, nib)
    _add_draining(routes, nib)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get(_ALL, tags=["containers"])
    def list_containers(name: str, page: Paging) -> ContainerList:
        """The containers of a service."""
        with nib.view() as view:
            return container_list(name, view, now_ms(), page)

    @routes.get("/containers", tags=["containers"])
    def list_all_containers(
        page: Paging,
        service: OneService = None,
        switch: OneSwitch = None,
        version: OneVersion = None,
        state: OneState = None,
    ) -> ContainerList:
        """The containers of all services, or those that are asked for."""
        with nib.view() as view:
            chosen = Chosen(service, dpid_called(switch, view), version, state)
            return all_containers(view, now_ms(), chosen, page)

    @routes.get(_ONE, tags=["containers"])
    def get_container(name: str, container_id: str, response: Response) -> ContainerOut:
        """One container: how it stands, why, and whether it is safe to stop."""
        with nib.view() as view:
            view.need(Service, name)
            container = view.need(Container, (name, container_id))
            tagged(container, response)
            return container_out(container, view, now_ms())


def _add_registering(routes: APIRouter, nib: Nib) -> None:
    @routes.put(_ONE, tags=["containers"], responses=put_responses(ContainerOut))
    async def put_container(
        name: str,
        container_id: str,
        body: ContainerIn,
        *,
        response: Response,
        wait: Wait,
        given: If,
    ) -> ContainerOut:
        """Register a container or replace it, renewing its lease; if it was draining it is ready
        again."""
        return await registered(nib, body.registration(name, container_id), response, wait, given)

    @routes.post(f"{_ONE}/renew", tags=["containers"])
    async def renew_container(name: str, container_id: str, response: Response) -> LeaseOut:
        """Renew a container's lease."""
        change = intent.renew_container((name, container_id), now_ms())
        renewed = await commit(nib, change, response)
        return LeaseOut(lease_until_ms=renewed.lease_until_ms or 0)


async def registered(
    nib: Nib, stated: Registration, response: Response, wait: Waiting, given: Preconditions
) -> ContainerOut:
    """Register a container, as its PUT does; sets the answer's status and headers."""
    change = intent.put_container(stated, now_ms())
    change = conditional(change, given, row(Container, (stated.service, stated.id)))
    stored = await commit(nib, change, response, wait)
    tagged(stored.record, response)
    response.status_code = status_of(stored.created)
    return _answer(nib, stored.record)


def _add_draining(routes: APIRouter, nib: Nib) -> None:
    @routes.delete(
        _ONE,
        tags=["containers"],
        status_code=status.HTTP_202_ACCEPTED,
        responses={status.HTTP_204_NO_CONTENT: {"description": "deleted at once (drain=0)"}},
        response_model=ContainerOut,
    )
    async def delete_container(
        name: str,
        container_id: str,
        *,
        response: Response,
        wait: Wait,
        given: If,
        drain: Drain = DRAIN,
    ) -> ContainerOut | Response:
        """Take a container out of service; it keeps the connections it has while it drains."""
        left = await drained(nib, (name, container_id), drain, response, wait, given=given)
        if left is None:
            response.status_code = status.HTTP_204_NO_CONTENT
            return response
        return left


async def drained(
    nib: Nib,
    key: tuple[str, str],
    drain: str,
    response: Response,
    wait: Waiting,
    *,
    given: Preconditions,
) -> ContainerOut | None:
    """Take a container out of service, as its DELETE does; sets the answer's headers. None: it is
    deleted at once."""
    seconds = lifecycle.parse_duration(drain)
    change = intent.drain_container(key, now_ms(), seconds)
    change = conditional(change, given, row(Container, key))
    container = await commit(nib, change, response, wait)
    tagged(container, response)
    return None if container is None else _answer(nib, container)


def _answer(nib: Nib, stored: Container) -> ContainerOut:
    """What was stored, as it stands; another request may have deleted it since."""
    with nib.view() as view:
        return container_out(view.get(Container, stored.key) or stored, view, now_ms())
