"""Composes the pipeline: from the state database to the rules of one switch, unit by unit.

Recompiling the units that a change touches gives the same as recompiling everything (a property
test holds that). Pure: reads a view of the database, returns values.

Must not know: what is installed, how it is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gateway_lb import neighbours, pipeline, replies
from gateway_lb.endpoints import Placed, container_rules
from gateway_lb.health import health_iface
from gateway_lb.replies import Front
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.qos import Policy, PolicyShare
from nib.records import Global, LocalSlots, SlotTable
from nib.topology import Port, Switch
from openflow.values import Rules, merged
from qos import pipeline as qos_pipeline
from qos.classes import classes_of
from qos.gates import is_closed
from qos.pipeline import Limits, Member
from qos.provision import class_of
from ryu_apps import forwarding
from ryu_apps.forwarding import StationAway, StationHere
from ryu_apps.routing import fabric_of, fabric_ports
from ryu_apps.stations import learned_addresses, located, own_addresses
from ryu_apps.units import Unit, all_units


def unit_rules(unit: Unit, view: Lookups, switch: Switch) -> Rules:
    """The rules of one unit in one switch; none where its object no longer exists."""
    return _COMPILED[unit.kind](unit.name, view, switch)


def compile_state(view: Lookups, switch: Switch) -> dict[Unit, Rules]:
    """All rules of one switch, by unit, in an order that is the same in every process."""
    return {unit: unit_rules(unit, view, switch) for unit in sorted(all_units(view))}


def _base_rules(_: str, view: Lookups, __: Switch) -> Rules:
    row = view.get(Global, ())
    database = int(row.database, 16) if row is not None and row.database else 0
    return merged((forwarding.base_rules(database), pipeline.base_rules()))


def _port_rules(_: str, view: Lookups, switch: Switch) -> Rules:
    health = _health_port(view, switch)
    between = [port.number for port in fabric_ports(switch.dpid, view)]
    return forwarding.port_rules(between, None if health is None else health.number)


def _route_rules(_: str, view: Lookups, switch: Switch) -> Rules:
    fabric = fabric_of(view)
    return Rules(
        groups=tuple(
            forwarding.route_group(
                other.ct_zone, fabric.hops(switch.dpid, other.dpid), other.name or other.dpid
            )
            for other in sorted(view.all(Switch), key=lambda other: other.ct_zone)
            if other.dpid != switch.dpid
        )
    )


def _station_rules(mac: str, view: Lookups, switch: Switch) -> Rules:
    return forwarding.station_rules(mac, _place(mac, view, switch), learned_addresses(mac, view))


def _place(mac: str, view: Lookups, switch: Switch) -> StationHere | StationAway | None:
    """Where a station is, as one switch sees it."""
    port = located(mac, view)
    if port is None:
        return None
    if port.switch == switch.dpid:
        return StationHere(port.number, tuple(sorted(own_addresses(mac, view))))
    away = view.get(Switch, port.switch)
    if away is None:
        return None
    return StationAway(away.ct_zone, fabric_of(view).distance(switch.dpid, port.switch))


def _health_port(view: Lookups, switch: Switch) -> Port | None:
    """The node agent's port in this switch."""
    port = view.port_with_iface(health_iface(switch.dpid))
    return port if port is not None and port.switch == switch.dpid else None


def _vip_rules(vip: str, view: Lookups, switch: Switch) -> Rules:
    if not view.services_at_vip(vip):
        return Rules()
    port = _health_port(view, switch)
    if port is None or port.attached_mac is None:
        return neighbours.vip_rules(vip)
    return neighbours.vip_rules(vip, (port.number, port.attached_mac))


def _host_rules(address: str, view: Lookups, switch: Switch) -> Rules:
    containers = sorted(view.containers_at(address), key=lambda container: container.number)
    if not containers:
        return Rules()
    mac = min(container.mac for container in containers)
    return replies.host_rules(address, _fronts(containers, view, switch), mac, switch.ct_zone)


def _fronts(containers: Iterable[Container], view: Lookups, switch: Switch) -> list[Front]:
    """Every port of a VIP whose replies from one of these containers this switch restores: that of
    the client, and without conntrack that of the container, which may be any."""
    behind = ((view.need(Service, container.service), container) for container in containers)
    return [
        front
        for service, container in behind
        if service.enters(switch.dpid) or service.mode == "stateless"
        for front in replies.fronts_of(service, container)
    ]


def _service_rules(name: str, view: Lookups, switch: Switch) -> Rules:
    service = view.get(Service, name)
    if service is None or not service.enters(switch.dpid):
        return Rules()
    admitted = pipeline.is_capped(service, view.containers_of(name))
    slots = _slots(service, view, switch)
    return pipeline.service_rules(service, slots, switch.ct_zone, admitted=admitted)


def _container_rules(name: str, view: Lookups, switch: Switch) -> Rules:
    service_name, container_id = name.split("/")
    container = view.get(Container, (service_name, container_id))
    service = None if container is None else view.get(Service, container.service)
    if container is None or service is None or not service.enters(switch.dpid):
        return Rules()
    return container_rules(service, Placed(container, _shared(container, view)), switch.ct_zone)


def _slots(service: Service, view: Lookups, switch: Switch) -> tuple[int, ...]:
    """The slots for clients of this switch."""
    local = view.get(LocalSlots, (service.name, switch.dpid))
    if service.locality == "prefer" and local is not None:
        return local.slots
    table = view.get(SlotTable, service.name)
    return table.slots if table else ()


def _shared(container: Container, view: Lookups) -> frozenset[tuple[str, int]]:
    """The container's ports that several ports of VIPs lead to."""
    leading = Counter(
        (protocol, target)
        for each in view.containers_at(container.address)
        for _, protocol, target in view.need(Service, each.service).targets(each)
    )
    return frozenset(port for port, count in leading.items() if count > 1)


def _class_rules(_: str, view: Lookups, __: Switch) -> Rules:
    """Nothing is marked while nobody asked for any class."""
    if not view.count(Policy):
        return Rules()
    return qos_pipeline.class_rules(list(classes_of(view).values()))


def _member_rules(address: str, view: Lookups, _: Switch) -> Rules:
    containers = sorted(view.containers_at(address), key=lambda container: container.number)
    if not any(view.policies_of(container.service) for container in containers):
        return Rules()
    services = ((view.get(Service, each.service), each) for each in containers)
    members = [
        Member(service.number, frozenset((via, port) for _, via, port in service.targets(each)))
        for service, each in services
        if service is not None
    ]
    return qos_pipeline.member_rules(address, members)


def _policy_rules(name: str, view: Lookups, switch: Switch) -> Rules:
    """A policy of a service that is not there yet waits for it."""
    policy = view.get(Policy, name)
    if policy is None:
        return Rules()
    ends = tuple(None if end is None else view.get(Service, end) for end in policy.ends)
    if any(known is None and end is not None for known, end in zip(ends, policy.ends, strict=True)):
        return Rules()
    source, destination = (None if end is None else end.number for end in ends)
    share = view.get(PolicyShare, (name, switch.dpid))
    limits = Limits() if share is None else Limits(share.bps, share.pps, policy.burst_ms)
    return qos_pipeline.policy_rules(
        policy,
        class_of(policy, classes_of(view)),
        (source, destination),
        limits,
        is_closed=is_closed(policy, view),
    )


_COMPILED: Final[Mapping[str, Callable[[str, Lookups, Switch], Rules]]] = {
    "base": _base_rules,
    "ports": _port_rules,
    "routes": _route_rules,
    "station": _station_rules,
    "vip": _vip_rules,
    "host": _host_rules,
    "service": _service_rules,
    "container": _container_rules,
    "classes": _class_rules,
    "member": _member_rules,
    "policy": _policy_rules,
}
