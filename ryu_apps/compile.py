"""Composes the pipeline: from the state database to the rules of one switch.

Intent compiles in *units* (the base, a VIP, a container's address, a service) whose flows and
groups never share a key, so that a change recompiles only the units it touches; recompiling
everything gives the same (a property test holds that). Pure: reads a view of the database, returns
values.

Must not know: what is installed, how it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from gateway_lb import pipeline
from gateway_lb.lifecycle import is_ready
from gateway_lb.pipeline import Placed
from gateway_lb.placement import port_of
from gateway_lb.slots import slot_table
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
        case Container():
            yield Unit("service", record.service)
            yield Unit("host", record.address)
        case SlotTable():
            yield Unit("service", record.service)
        case Port():
            yield from (Unit("service", name) for name in services_on(record, view))
        case _:
            pass


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
            return pipeline.vip_rules(unit.name) if view.services_at_vip(unit.name) else Rules()
        case "host":
            return _host_rules(unit.name, view)
        case "service":
            return _service_rules(unit.name, view, switch)


def compile_state(view: Lookups, switch: Switch) -> dict[Unit, Rules]:
    """All rules of one switch, by unit."""
    return {unit: unit_rules(unit, view, switch) for unit in all_units(view)}


def next_slots(service: str, view: Lookups) -> SlotTable | None:
    """The service's slot table after the one in the view; None where the service is gone."""
    if view.get(Service, service) is None:
        return None
    before = view.get(SlotTable, service)
    weights = {
        container.number: 1
        for container in view.containers_of(service)
        if is_ready(container) and port_of(container, view) is not None
    }
    return SlotTable(service, slot_table(before.slots if before else (), weights))


def _host_rules(address: str, view: Lookups) -> Rules:
    macs = sorted({container.mac for container in view.containers_at(address)})
    return pipeline.host_rules(address, macs[0]) if macs else Rules()


def _service_rules(name: str, view: Lookups, switch: Switch) -> Rules:
    service = view.get(Service, name)
    if service is None:
        return Rules()
    table = view.get(SlotTable, name)
    placed = _placed(view.containers_of(name), view, switch)
    return pipeline.service_rules(service, placed, table.slots if table else (), switch.ct_zone)


def _placed(containers: Iterable[Container], view: Lookups, switch: Switch) -> list[Placed]:
    result = []
    for container in sorted(containers, key=lambda container: container.number):
        port = port_of(container, view)
        here = port is not None and port.switch == switch.dpid
        result.append(Placed(container, port.number if port is not None and here else None))
    return result
