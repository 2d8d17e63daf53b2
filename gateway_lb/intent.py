"""Registering services and containers: what a request changes.

Each function makes a change for `Nib.write`: it runs inside a transaction on a draft of the
database, so what it checks still holds when it is committed. A record checks its own fields,
`gateway_lb.contradictions` what takes more than one row to know; here is where a container is.
Errors name the field and the remedy.

Must not know: HTTP, switches' connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway_lb import lifecycle
from gateway_lb.contradictions import check_container, check_service
from gateway_lb.slots import MAX_CONTAINERS
from nib.draft import Draft
from nib.errors import Conflict, FieldError
from nib.fields import is_dpid
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.places import port_called, switch_called
from nib.stored import Stored
from nib.topology import Port


@dataclass(frozen=True, slots=True)
class Registration:
    """A container as it registers: where it is by switch and port, or by iface-id; mac: None where
    the switch's own database says it (attached-mac). The rest is as in `nib.intent.Container`."""

    service: str
    id: str
    address: str
    port: int
    mac: str | None = None
    switch: str | None = None
    switch_port: str | None = None
    iface_id: str | None = None
    weight: int = 1
    version: str | None = None
    max_inflight: int | None = None
    max_connections: int | None = None
    lease_seconds: int | None = None


def put_service(service: Service, now_ms: int = 0) -> Callable[[Draft], Stored[Service]]:
    """Create or replace a service; a canary that is new or changed starts now.

    FieldError or Conflict where other services or its own containers contradict it, or a switch is
    not known.
    """

    def change(draft: Draft) -> Stored[Service]:
        known = draft.get(Service, service.name)
        wanted = canary_started(entered_by(service, draft), known, now_ms)
        check_service(wanted, draft)
        return Stored(draft.put(wanted), created=known is None)

    return change


def delete_service(name: str) -> Callable[[Draft], Service]:
    """Delete a service and its containers. NotFound where there is none."""

    def change(draft: Draft) -> Service:
        service = draft.need(Service, name)
        for container in draft.containers_of(name):
            draft.delete(Container, container.key)
        return draft.delete(Service, service.key)

    return change


def put_container(given: Registration, now_ms: int = 0) -> Callable[[Draft], Stored[Container]]:
    """Register a container; one that was draining is ready again, and a lease is renewed.

    NotFound where the service is unknown, FieldError where no switch has the place named or the
    service cannot do what is asked, Conflict where another container contradicts it.
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
        check_container(container, service, draft)
        stored = draft.put(lifecycle.registered(container, known, now_ms))
        return Stored(stored, created=known is None)

    return change


def renew_container(key: tuple[str, str], now_ms: int) -> Callable[[Draft], Container]:
    """Renew a container's lease. NotFound where there is none, Conflict where it has no lease or
    drains: then it must register again."""

    def change(draft: Draft) -> Container:
        draft.need(Service, key[0])
        container = draft.need(Container, key)
        remedy = "register it again by PUT"
        if container.lease_seconds is None:
            raise Conflict("lease_seconds", "the container has no lease", f"{remedy}, with one")
        if not lifecycle.is_ready(container):
            raise Conflict("state", "the container is taken out of service", remedy)
        return draft.put(lifecycle.renewed(container, now_ms))

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
        weight=given.weight,
        version=given.version,
        max_inflight=given.max_inflight,
        max_connections=given.max_connections,
        lease_seconds=given.lease_seconds,
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


def entered_by(service: Service, view: Lookups) -> Service:
    """The service with its switches by their datapath ids, which need not be known yet. FieldError
    where a bridge's name is not known, or is that of several."""
    dpids = {_dpid(each, view) for each in service.switches}
    return replace(service, switches=tuple(sorted(dpids)))


def _dpid(called: str, view: Lookups) -> str:
    if is_dpid(called):
        return called
    try:
        return switch_called(called, view).dpid
    except FieldError as error:
        raise FieldError("switches", error.message, error.remedy) from None


def canary_started(service: Service, known: Service | None, now_ms: int) -> Service:
    """The service with the time at which its canary began: kept while the canary is the same."""
    if service.canary is None:
        return service
    before = known.canary if known else None
    started_ms = before.started_ms if before else now_ms
    if before != replace(service.canary, started_ms=started_ms):
        started_ms = now_ms
    return replace(service, canary=replace(service.canary, started_ms=started_ms))
