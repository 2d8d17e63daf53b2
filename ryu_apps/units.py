"""Units: the parts that intent and topology compile in, and which of them a changed row touches.

Their flows and groups never share a key, so that a change recompiles only the units it touches.

Must not know: any flow (`ryu_apps.compile`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from gateway_lb.health import health_iface
from nib.intent import Container, Service
from nib.mirror import Lookups, RowChange
from nib.qos import Policy, PolicyConnections, PolicyShare, QosClass
from nib.records import Global, LocalSlots, Record, SlotTable
from nib.topology import Host, Link, Port, Switch
from ryu_apps.stations import all_stations, containers_on, stations_on


class Unit(NamedTuple):
    """What is compiled as one: its kind and the name or address of its object."""

    kind: Literal[
        "base",
        "ports",
        "routes",
        "station",
        "vip",
        "host",
        "service",
        "container",
        "classes",
        "member",
        "policy",
    ]
    name: str = ""


BASE: Final = Unit("base")
PORTS: Final = Unit("ports")
ROUTES: Final = Unit("routes")
CLASSES: Final = Unit("classes")


def container_unit(container: Container) -> Unit:
    """The unit of what leads to one container of a service."""
    return Unit("container", f"{container.service}/{container.id}")


def all_units(view: Lookups) -> set[Unit]:
    """Every unit that the database's intent has rules for."""
    units = {BASE, PORTS, ROUTES}
    units.update(Unit("station", mac) for mac in all_stations(view))
    for service in view.all(Service):
        units |= {Unit("service", service.name), Unit("vip", service.vip)}
    for container in view.all(Container):
        units |= {container_unit(container), Unit("host", container.address)}
    for policy in view.all(Policy):
        units |= {CLASSES, Unit("policy", policy.name), *_members(policy, view)}
    return units


def touched_units(change: RowChange, view: Lookups) -> set[Unit]:
    """The units that a changed row can alter. view: the database after the change."""
    match change.record:
        case Switch():
            return _units_of_switch(change, view)
        case Policy():
            return _units_of_policy(change, view)
        case Global():
            return {BASE} if _database(change.old) != _database(change.new) else set()
    return {unit for record in _sides(change) for unit in _units_of(record, view)}


def _units_of_switch(change: RowChange, view: Lookups) -> set[Unit]:
    """Ways change when a switch comes, goes, or comes under control or out of it."""
    before, after = change.old, change.new
    if isinstance(before, Switch) and isinstance(after, Switch) and before.ct_zone == after.ct_zone:
        return {ROUTES} if before.connected != after.connected else set()
    return {ROUTES} | {Unit("station", mac) for mac in all_stations(view)}


def _units_of_policy(change: RowChange, view: Lookups) -> set[Unit]:
    """With its ends, which addresses are told apart changes, and perhaps whether classes are."""
    sides = [side for side in (change.old, change.new) if isinstance(side, Policy)]
    units = {Unit("policy", side.name) for side in sides}
    if len({side.ends for side in sides}) == len(sides):
        units |= {CLASSES, *(unit for side in sides for unit in _members(side, view))}
    return units


def _database(row: Record | None) -> str:
    return row.database if isinstance(row, Global) else ""


def _sides(change: RowChange) -> Iterator[Record]:
    yield from (record for record in (change.old, change.new) if record is not None)


def _units_of(record: Record, view: Lookups) -> Iterator[Unit]:
    match record:
        case Service():
            yield Unit("service", record.name)
            yield Unit("vip", record.vip)
            yield from _stations_at(record.vip, view)
            for container in view.containers_of(record.name):
                yield container_unit(container)
                yield from _units_sharing(container, record, view)
            for policy in view.policies_of(record.name):
                yield from (Unit("policy", policy.name), *_members(policy, view))
        case Container():
            yield container_unit(record)
            if record.max_connections is not None:
                yield Unit("service", record.service)
            if view.count(Policy):
                yield Unit("member", record.address)
            yield Unit("station", record.mac)
            yield from _stations_at(record.address, view)
            yield from _units_sharing(record, view.get(Service, record.service), view)
        case SlotTable() | LocalSlots():
            yield Unit("service", record.service)
        case Port() | Link() | Host():
            yield from _units_of_place(record, view)
        case _:
            yield from _units_of_bandwidth(record, view)


def _units_of_place(record: Port | Link | Host, view: Lookups) -> Iterator[Unit]:
    match record:
        case Port():
            yield from (PORTS, ROUTES)
            yield from (Unit("station", mac) for mac in stations_on(record, view))
            if record.iface_id == health_iface(record.switch):
                yield from (Unit("vip", service.vip) for service in view.all(Service))
        case Link():
            yield from (PORTS, ROUTES)
        case Host():
            yield Unit("station", record.mac)
            for address in record.addresses:
                yield from _stations_at(address, view)


def _units_of_bandwidth(record: Record, view: Lookups) -> Iterator[Unit]:
    match record:
        case QosClass():
            yield CLASSES
            yield from (Unit("policy", policy.name) for policy in view.all(Policy))
        case PolicyShare() | PolicyConnections():
            yield Unit("policy", record.policy)


def _members(policy: Policy, view: Lookups) -> Iterator[Unit]:
    """The addresses of the services that a policy is about."""
    for service in policy.ends:
        if service is not None:
            for container in view.containers_of(service):
                yield Unit("member", container.address)


def _stations_at(address: str, view: Lookups) -> Iterator[Unit]:
    """Stations that were heard with an address."""
    yield from (Unit("station", host.mac) for host in view.hosts_at(address))


def _units_sharing(container: Container, service: Service | None, view: Lookups) -> Iterator[Unit]:
    """A container's address, and the containers that have one of its ports there too.

    service: its service. Where one is not there, gone or not heard of yet, it may share anything.
    """
    yield Unit("host", container.address)
    for other in view.containers_at(container.address):
        beside = view.get(Service, other.service)
        if _may_share(_ports(container, service), _ports(other, beside)):
            yield container_unit(other)


def _ports(container: Container, service: Service | None) -> set[tuple[str, int]] | None:
    """Those that its service leads to; None where the service is not there."""
    if service is None:
        return None
    return {(protocol, target) for _, protocol, target in service.targets(container)}


def _may_share(one: set[tuple[str, int]] | None, other: set[tuple[str, int]] | None) -> bool:
    return one is None or other is None or bool(one & other)


def services_on(port: Port, view: Lookups) -> set[str]:
    """The services that have a container behind this port."""
    return {container.service for container in containers_on(port, view)}
