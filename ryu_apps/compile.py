"""Composes the pipeline: from the state database to the rules of one switch.

Intent compiles in *units* (the base, a VIP, a container's address, a service) whose flows and
groups never share a key, so that a change recompiles only the units it touches; recompiling
everything gives the same (a property test holds that). Pure: reads a view of the database, returns
values.

Must not know: what is installed, how it is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from gateway_lb import neighbours, pipeline, replies
from gateway_lb.endpoints import Placed
from gateway_lb.health import health_iface
from gateway_lb.placement import port_of
from gateway_lb.replies import Front
from nib.mirror import Lookups, RowChange
from nib.records import Container, Port, Record, Service, SlotTable, Switch
from openflow.values import Rules, merged
from ryu_apps import forwarding


class Unit(NamedTuple):
    """What is compiled as one: its kind and the name or address of its object."""

    kind: Literal["base", "vip", "host", "service"]
    name: str = ""


BASE: Final = Unit("base")


def all_units(view: Lookups) -> set[Unit]:
    """Every unit that the database's intent has rules for."""
    units = {BASE}
    for service in view.all(Service):
        units |= {Unit("service", service.name), Unit("vip", service.vip)}
    units.update(Unit("host", container.address) for container in view.all(Container))
    return units


def touched_units(change: RowChange, view: Lookups) -> set[Unit]:
    """The units that a changed row can alter. view: the database after the change."""
    return {unit for record in _sides(change) for unit in _units_of(record, view)}


def _sides(change: RowChange) -> Iterator[Record]:
    yield from (record for record in (change.old, change.new) if record is not None)


def _units_of(record: Record, view: Lookups) -> Iterator[Unit]:
    match record:
        case Service():
            yield Unit("service", record.name)
            yield Unit("vip", record.vip)
            for container in view.containers_of(record.name):
                yield from _units_sharing(container, record, view)
        case Container():
            yield Unit("service", record.service)
            yield from _units_sharing(record, view.get(Service, record.service), view)
        case SlotTable():
            yield Unit("service", record.service)
        case Port():
            yield from (Unit("service", name) for name in services_on(record, view))
            if record.iface_id == health_iface(record.switch):
                yield from (Unit("vip", service.vip) for service in view.all(Service))
        case _:
            pass


def _units_sharing(container: Container, service: Service | None, view: Lookups) -> Iterator[Unit]:
    """A container's address, and the services that have one of its ports there too.

    service: its service. Where one is not there, gone or not heard of yet, it may share anything.
    """
    yield Unit("host", container.address)
    for other in view.containers_at(container.address):
        beside = view.get(Service, other.service)
        if _may_share(_ports(container, service), _ports(other, beside)):
            yield Unit("service", other.service)


def _ports(container: Container, service: Service | None) -> set[tuple[str, int]] | None:
    """Those that its service leads to; None where the service is not there."""
    if service is None:
        return None
    return {(protocol, target) for _, protocol, target in service.targets(container)}


def _may_share(one: set[tuple[str, int]] | None, other: set[tuple[str, int]] | None) -> bool:
    return one is None or other is None or bool(one & other)


def services_on(port: Port, view: Lookups) -> set[str]:
    """The services that have a container behind this port."""
    containers = view.containers_on_port(port.switch, port.name)
    containers += view.containers_on_port(port.switch, str(port.number))
    if port.iface_id is not None:
        containers += view.containers_on_iface(port.iface_id)
    return {container.service for container in containers}


def unit_rules(unit: Unit, view: Lookups, switch: Switch) -> Rules:
    """The rules of one unit in one switch; none where its object no longer exists."""
    match unit.kind:
        case "base":
            return merged((forwarding.base_rules(), pipeline.base_rules()))
        case "vip":
            return _vip_rules(unit.name, view, switch)
        case "host":
            return _host_rules(unit.name, view, switch)
        case "service":
            return _service_rules(unit.name, view, switch)


def compile_state(view: Lookups, switch: Switch) -> dict[Unit, Rules]:
    """All rules of one switch, by unit."""
    return {unit: unit_rules(unit, view, switch) for unit in all_units(view)}


def _vip_rules(vip: str, view: Lookups, switch: Switch) -> Rules:
    if not view.services_at_vip(vip):
        return Rules()
    port = view.port_with_iface(health_iface(switch.dpid))
    if port is None or port.switch != switch.dpid or port.attached_mac is None:
        return neighbours.vip_rules(vip)
    return neighbours.vip_rules(vip, (port.number, port.attached_mac))


def _host_rules(address: str, view: Lookups, switch: Switch) -> Rules:
    containers = sorted(view.containers_at(address), key=lambda container: container.number)
    if not containers:
        return Rules()
    mac = min(container.mac for container in containers)
    return replies.host_rules(address, _fronts(containers, view), mac, switch.ct_zone)


def _fronts(containers: Iterable[Container], view: Lookups) -> list[Front]:
    """Every port of a VIP that leads to one of these containers."""
    return [
        front
        for container in containers
        for front in replies.fronts_of(view.need(Service, container.service), container)
    ]


def _service_rules(name: str, view: Lookups, switch: Switch) -> Rules:
    service = view.get(Service, name)
    if service is None:
        return Rules()
    table = view.get(SlotTable, name)
    placed = [
        _placed(container, view, switch)
        for container in sorted(view.containers_of(name), key=lambda container: container.number)
    ]
    return pipeline.service_rules(service, placed, table.slots if table else (), switch.ct_zone)


def _placed(container: Container, view: Lookups, switch: Switch) -> Placed:
    port = port_of(container, view)
    here = port is not None and port.switch == switch.dpid
    return Placed(
        container, port.number if port is not None and here else None, _shared(container, view)
    )


def _shared(container: Container, view: Lookups) -> frozenset[tuple[str, int]]:
    """The container's ports that several ports of VIPs lead to."""
    leading = Counter(
        (protocol, target)
        for each in view.containers_at(container.address)
        for _, protocol, target in view.need(Service, each.service).targets(each)
    )
    return frozenset(port for port, count in leading.items() if count > 1)
