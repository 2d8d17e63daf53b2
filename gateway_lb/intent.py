"""Registering services and containers: what is checked across rows, and what a request changes.

Each function makes a change for `Nib.write`: it runs inside a transaction on a draft of the
database, so what it checks still holds when it is committed. A record checks its own fields; here
is what takes more than one row to know. Errors name the field and the remedy.

Must not know: HTTP, switches' connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway_lb import lifecycle
from gateway_lb.placement import port_called, switch_called
from gateway_lb.slots import MAX_CONTAINERS
from nib.draft import Draft
from nib.errors import Conflict, FieldError
from nib.mirror import Lookups
from nib.records import Container, Port, Service

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """What a put stored, and whether it was not there before."""

    record: R
    created: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """A container as it registers: where it is by switch and port, or by iface-id; mac: None where
    the switch's own database says it (attached-mac)."""

    service: str
    id: str
    address: str
    port: int
    mac: str | None = None
    switch: str | None = None
    switch_port: str | None = None
    iface_id: str | None = None


def put_service(service: Service) -> Callable[[Draft], Stored[Service]]:
    """Create or replace a service. Conflict where its VIP, port and protocol are taken."""

    def change(draft: Draft) -> Stored[Service]:
        _check_vip(service, draft)
        for container in draft.containers_of(service.name):
            _check_unclaimed(container, service.protocol, draft)
        known = draft.get(Service, service.name)
        return Stored(draft.put(service), created=known is None)

    return change


def delete_service(name: str) -> Callable[[Draft], Service]:
    """Delete a service and its containers. NotFound where there is none."""

    def change(draft: Draft) -> Service:
        service = draft.need(Service, name)
        for container in draft.containers_of(name):
            draft.delete(Container, container.key)
        return draft.delete(Service, service.key)

    return change


def put_container(given: Registration) -> Callable[[Draft], Stored[Container]]:
    """Register a container; one that was draining is ready again.

    NotFound where the service is unknown, FieldError where no switch has the place named, Conflict
    where another container contradicts it.
    """

    def change(draft: Draft) -> Stored[Container]:
        service = draft.need(Service, given.service)
        container = _placed(given, draft)
        known = draft.get(Container, container.key)
        if known is None and len(draft.containers_of(service.name)) >= MAX_CONTAINERS:
            raise Conflict(
                "id",
                f"service {service.name} has {MAX_CONTAINERS} containers, the most there can be",
                "register it behind a second service",
            )
        _check_address(container, draft)
        _check_unclaimed(container, service.protocol, draft)
        return Stored(draft.put(container), created=known is None)

    return change


def drain_container(
    key: tuple[str, str], now_ms: int, drain_seconds: float
) -> Callable[[Draft], Container | None]:
    """Take a container out of service. It keeps its connections for `drain_seconds`; with 0 it is
    deleted at once and None returned. NotFound where there is none."""

    def change(draft: Draft) -> Container | None:
        container = draft.need(Container, key)
        if drain_seconds == 0:
            draft.delete(Container, key)
            return None
        return draft.put(lifecycle.draining(container, now_ms, drain_seconds))

    return change


def _placed(given: Registration, view: Lookups) -> Container:
    """The container's record, its place checked against what switches report."""
    dpid = None
    if given.iface_id is not None and given.switch is None and given.switch_port is None:
        port = _known_iface(given.iface_id, view)
    elif given.iface_id is None and given.switch is not None and given.switch_port is not None:
        dpid = switch_called(given.switch, view).dpid
        port = _known_port(dpid, given.switch_port, given.switch, view)
    else:
        raise _misplaced(given)
    mac = given.mac or port.attached_mac
    if mac is None:
        raise FieldError(
            "mac",
            "it is not given, and the switch's port has no attached-mac",
            "give the MAC address of the container's interface",
        )
    return Container(
        service=given.service,
        id=given.id,
        address=given.address,
        port=given.port,
        mac=mac,
        switch=dpid,
        switch_port=given.switch_port,
        iface_id=given.iface_id,
    )


def _misplaced(given: Registration) -> FieldError:
    """What is wrong with a place that is said twice, or not in full."""
    remedy = "give either switch and switch_port, or iface_id"
    if given.iface_id is not None:
        return FieldError("iface_id", "the container's place is given twice", remedy)
    field = "switch" if given.switch is None else "switch_port"
    return FieldError(field, "it is missing: where is the container attached?", remedy)


def _known_port(dpid: str, called: str, switch: str, view: Lookups) -> Port:
    port = port_called(dpid, called, view)
    if port is None:
        names = ", ".join(sorted(port.name for port in view.ports_of(dpid)))
        raise FieldError(
            "switch_port", f"switch {switch} has no port {called!r}", f"give one of: {names}"
        )
    return port


def _known_iface(iface_id: str, view: Lookups) -> Port:
    port = view.port_with_iface(iface_id)
    if port is None:
        raise FieldError(
            "iface_id",
            f"no switch has an interface with iface-id {iface_id!r}",
            "set it on the interface (external_ids:iface-id), or give switch and switch_port",
        )
    return port


def _check_vip(service: Service, view: Lookups) -> None:
    taken = view.service_at(service.vip, service.port, service.protocol)
    if taken is not None and taken.name != service.name:
        raise Conflict(
            "vip",
            f"service {taken.name} has {service.protocol} {service.vip}:{service.port} already",
            "choose another VIP or port, or delete that service",
        )
    holders = view.containers_at(service.vip)
    if holders:
        raise Conflict(
            "vip",
            f"{service.vip} is the address of container {'/'.join(holders[0].key)}",
            "choose an address that no container has",
        )


def _check_address(container: Container, view: Lookups) -> None:
    """An address belongs to one interface in one place, and is no VIP."""
    services = view.services_at_vip(container.address)
    if services:
        raise Conflict(
            "address",
            f"{container.address} is the VIP of service {services[0].name}",
            "give the container's own address",
        )
    for other in view.containers_at(container.address):
        if other.key != container.key and _interface(other) != _interface(container):
            raise Conflict(
                "address",
                f"container {'/'.join(other.key)} has {container.address} on another interface",
                "give the same mac and place, or another address",
            )


def _interface(container: Container) -> tuple[str | None, ...]:
    return container.mac, container.switch, container.switch_port, container.iface_id


def _check_unclaimed(container: Container, protocol: str, view: Lookups) -> None:
    """A reply from address and port can be restored to one VIP only."""
    for other in view.containers_at(container.address):
        if other.key == container.key or other.port != container.port:
            continue
        if view.need(Service, other.service).protocol == protocol:
            raise Conflict(
                "port",
                f"container {'/'.join(other.key)} is at {other.address}:{other.port} already",
                "give each container its own address or port",
            )
