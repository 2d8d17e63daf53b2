"""REST: services and their containers.

Turns requests into changes of intent (`gateway_lb.intent`) and records into JSON. Errors are raised
as the rooms raise them; the assembled server turns them into problem+json.

Must not know: how a change reaches a switch. With `?wait=applied` a write returns when every switch
acknowledged it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from gateway_lb import intent, lifecycle
from gateway_lb.placement import port_of
from nib.acknowledgement import applied
from nib.database import Nib
from nib.draft import Draft
from nib.mirror import Lookups
from nib.records import Container, Service, SlotTable

T = TypeVar("T")

Drain = Annotated[
    float,
    Query(
        ge=0,
        le=lifecycle.MAX_DRAIN_SECONDS,
        description="seconds for which established connections are kept; 0 ends them at once",
    ),
]


class Waiting(BaseModel):
    """Query parameters of every write."""

    wait: Literal["applied"] | None = Field(
        None, description="`applied`: return when every switch has acknowledged the change"
    )
    timeout: float = Field(
        10, gt=0, le=300, description="seconds to wait at most; then 504, and the change is kept"
    )


Wait = Annotated[Waiting, Query()]


class ServiceIn(BaseModel):
    """A service as its owner states it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"vip": "10.0.0.100", "port": 80, "protocol": "tcp"}]},
    )

    vip: StrictStr = Field(description="virtual IPv4 address that clients connect to")
    port: StrictInt = Field(description="port that clients connect to, 1 to 65535")
    protocol: Literal["tcp", "udp"] = "tcp"


class ServiceOut(ServiceIn):
    """A service as it is."""

    name: str
    generation: int = Field(description="the change that stored it last")
    ready: int = Field(description="containers that take new connections")
    draining: int = Field(description="containers that only keep connections they have")


class ContainerIn(BaseModel):
    """A container as it registers itself. Where it is: switch and switch_port, or iface_id."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"address": "10.0.0.11", "port": 8080, "iface_id": "web-1"},
                {
                    "address": "10.0.0.11",
                    "port": 8080,
                    "mac": "02:00:00:00:00:11",
                    "switch": "br0",
                    "switch_port": "veth1",
                },
            ]
        },
    )

    address: StrictStr = Field(description="the container's own IPv4 address")
    port: StrictInt = Field(description="port it listens on, 1 to 65535")
    mac: StrictStr | None = Field(None, description="by default the port's attached-mac")
    switch: StrictStr | None = Field(None, description="bridge name or datapath id")
    switch_port: StrictStr | None = Field(None, description="port name or OpenFlow number")
    iface_id: StrictStr | None = Field(None, description="external_ids:iface-id of its interface")


class ContainerOut(ContainerIn):
    """A container as it is."""

    service: str
    id: str
    state: Literal["ready", "draining"]
    drain_until_ms: int | None = Field(description="end of draining, milliseconds since 1970")
    generation: int = Field(description="the change that stored it last")
    placed: bool = Field(description="whether a switch reports the port it is behind")
    slots: int = Field(description="slots of the service's group that lead to it")
    slots_in_all: int = Field(description="slots of the service's group")


class ServiceList(BaseModel):
    """All services, by name."""

    items: list[ServiceOut]


class ContainerList(BaseModel):
    """All containers of a service, by id."""

    items: list[ContainerOut]


_GENERATION: Final = {
    "Prewire-Generation": {
        "description": "number of the change; switches acknowledge it",
        "schema": {"type": "integer"},
    }
}


def router(nib: Nib) -> APIRouter:
    """The routes of this room, on a connected database."""
    routes = APIRouter(prefix="/v1/services")
    _add_service_routes(routes, nib)
    _add_container_routes(routes, nib)
    return routes


async def _write(nib: Nib, change: Callable[[Draft], T], response: Response, wait: Waiting) -> T:
    """Commit a change, and wait for the switches where that is asked for."""
    committed = await asyncio.wrap_future(nib.write(change))
    response.headers["Prewire-Generation"] = str(committed.generation)
    if wait.wait:
        await applied(nib, committed.generation, wait.timeout)
    return committed.value


def _put_responses(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {
        status.HTTP_200_OK: {"headers": _GENERATION, "description": "changed, or was so already"},
        status.HTTP_201_CREATED: {
            "headers": _GENERATION, "description": "created", "model": model
        },
    }  # fmt: skip


def _add_service_routes(routes: APIRouter, nib: Nib) -> None:
    @routes.get("", tags=["services"])
    def list_services() -> ServiceList:
        """All services."""
        with nib.view() as view:
            services = sorted(view.all(Service), key=lambda service: service.name)
            return ServiceList(items=[service_out(service, view) for service in services])

    @routes.get("/{name}", tags=["services"])
    def get_service(name: str) -> ServiceOut:
        """One service."""
        with nib.view() as view:
            return service_out(view.need(Service, name), view)

    @routes.put("/{name}", tags=["services"], responses=_put_responses(ServiceOut))
    async def put_service(name: str, body: ServiceIn, response: Response, wait: Wait) -> ServiceOut:
        """Create or change a service."""
        service = Service(name, body.vip, body.port, body.protocol)
        stored = await _write(nib, intent.put_service(service), response, wait)
        response.status_code = _created(stored.created)
        with nib.view() as view:
            return service_out(stored.record, view)

    @routes.delete("/{name}", tags=["services"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_service(name: str, response: Response, wait: Wait) -> None:
        """Delete a service and its containers at once; connections to it end."""
        await _write(nib, intent.delete_service(name), response, wait)


def _add_container_routes(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/{name}/containers", tags=["containers"])
    def list_containers(name: str) -> ContainerList:
        """The containers of a service."""
        with nib.view() as view:
            view.need(Service, name)
            containers = sorted(view.containers_of(name), key=lambda container: container.id)
            return ContainerList(items=[container_out(each, view) for each in containers])

    @routes.get("/{name}/containers/{container_id}", tags=["containers"])
    def get_container(name: str, container_id: str) -> ContainerOut:
        """One container."""
        with nib.view() as view:
            view.need(Service, name)
            return container_out(view.need(Container, (name, container_id)), view)

    @routes.put(
        "/{name}/containers/{container_id}",
        tags=["containers"],
        responses=_put_responses(ContainerOut),
    )
    async def put_container(
        name: str, container_id: str, body: ContainerIn, response: Response, wait: Wait
    ) -> ContainerOut:
        """Register a container, or change it; one that was draining is ready again."""
        given = intent.Registration(name, container_id, **body.model_dump())
        stored = await _write(nib, intent.put_container(given), response, wait)
        response.status_code = _created(stored.created)
        with nib.view() as view:
            return container_out(stored.record, view)

    @routes.delete(
        "/{name}/containers/{container_id}",
        tags=["containers"],
        status_code=status.HTTP_202_ACCEPTED,
        responses={status.HTTP_204_NO_CONTENT: {"description": "deleted at once (drain=0)"}},
        response_model=ContainerOut,
    )
    async def delete_container(
        name: str,
        container_id: str,
        response: Response,
        wait: Wait,
        drain: Drain = lifecycle.DEFAULT_DRAIN_SECONDS,
    ) -> ContainerOut | Response:
        """Take a container out of service; it keeps the connections it has while it drains."""
        now_ms = round(time.time() * 1000)
        change = intent.drain_container((name, container_id), now_ms, drain)
        container = await _write(nib, change, response, wait)
        if container is None:
            response.status_code = status.HTTP_204_NO_CONTENT
            return response
        with nib.view() as view:
            return container_out(container, view)


def service_out(service: Service, view: Lookups) -> ServiceOut:
    """A service with the counts of its containers."""
    containers = view.containers_of(service.name)
    ready = sum(lifecycle.is_ready(container) for container in containers)
    return ServiceOut(
        name=service.name,
        vip=service.vip,
        port=service.port,
        protocol=service.protocol,  # type: ignore[arg-type]
        generation=service.generation,
        ready=ready,
        draining=len(containers) - ready,
    )


def container_out(container: Container, view: Lookups) -> ContainerOut:
    """A container with its place and its share of the service's slots."""
    table = view.get(SlotTable, container.service)
    slots = table.slots if table else ()
    return ContainerOut(
        service=container.service,
        id=container.id,
        address=container.address,
        port=container.port,
        mac=container.mac,
        switch=container.switch,
        switch_port=container.switch_port,
        iface_id=container.iface_id,
        state=container.state,  # type: ignore[arg-type]
        drain_until_ms=container.drain_until_ms,
        generation=container.generation,
        placed=port_of(container, view) is not None,
        slots=slots.count(container.number),
        slots_in_all=len(slots),
    )


def _created(created: bool) -> int:
    return status.HTTP_201_CREATED if created else status.HTTP_200_OK
