"""REST: the containers of a service, their leases and their draining.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from gateway_lb import intent, lifecycle
from gateway_lb.answers import (
    ContainerList,
    ContainerOut,
    LeaseOut,
    container_list,
    container_out,
)
from gateway_lb.models import ContainerIn
from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.intent import Container, Service

_ALL = "/services/{name}/containers"
_ONE = f"{_ALL}/{{container_id}}"

Drain = Annotated[
    str,
    Query(
        description="how long established connections are kept, as in 60s, 500ms, 2m or 60; "
        "0 resets them at once",
    ),
]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_registering(routes, nib)
    _add_draining(routes, nib)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get(_ALL, tags=["containers"])
    def list_containers(name: str) -> ContainerList:
        """The containers of a service."""
        with nib.view() as view:
            return container_list(name, view, now_ms())

    @routes.get(_ONE, tags=["containers"])
    def get_container(name: str, container_id: str) -> ContainerOut:
        """One container: how it stands, why, and whether it is safe to stop."""
        with nib.view() as view:
            view.need(Service, name)
            return container_out(view.need(Container, (name, container_id)), view, now_ms())


def _add_registering(routes: APIRouter, nib: Nib) -> None:
    @routes.put(_ONE, tags=["containers"], responses=put_responses(ContainerOut))
    async def put_container(
        name: str, container_id: str, body: ContainerIn, response: Response, wait: Wait
    ) -> ContainerOut:
        """Register a container or replace it, renewing its lease; if it was draining it is ready
        again."""
        change = intent.put_container(body.registration(name, container_id), now_ms())
        stored = await commit(nib, change, response, wait)
        response.status_code = status_of(stored.created)
        return _answer(nib, stored.record)

    @routes.post(f"{_ONE}/renew", tags=["containers"])
    async def renew_container(name: str, container_id: str, response: Response) -> LeaseOut:
        """Renew a container's lease."""
        change = intent.renew_container((name, container_id), now_ms())
        renewed = await commit(nib, change, response)
        return LeaseOut(lease_until_ms=renewed.lease_until_ms or 0)


def _add_draining(routes: APIRouter, nib: Nib) -> None:
    @routes.delete(
        _ONE,
        tags=["containers"],
        status_code=status.HTTP_202_ACCEPTED,
        responses={status.HTTP_204_NO_CONTENT: {"description": "deleted at once (drain=0)"}},
        response_model=ContainerOut,
    )
    async def delete_container(
        name: str, container_id: str, response: Response, wait: Wait, drain: Drain = "60s"
    ) -> ContainerOut | Response:
        """Take a container out of service; it keeps the connections it has while it drains."""
        seconds = lifecycle.parse_duration(drain)
        change = intent.drain_container((name, container_id), now_ms(), seconds)
        container = await commit(nib, change, response, wait)
        if container is None:
            response.status_code = status.HTTP_204_NO_CONTENT
            return response
        return _answer(nib, container)


def _answer(nib: Nib, stored: Container) -> ContainerOut:
    """What was stored, as it stands; another request may have deleted it since."""
    with nib.view() as view:
        return container_out(view.get(Container, stored.key) or stored, view, now_ms())
