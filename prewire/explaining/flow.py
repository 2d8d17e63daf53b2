"""Where a flow comes from: the object that its cookie names, and how the flow should read.

Pure: a view of the database in, a value out. Nothing is asked of a switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from nib.errors import FieldError
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.topology import Host, Switch
from openflow import cookies
from openflow.cookies import ROUTE_IDS, Cookie, Kind
from openflow.families import address_number
from openflow.parse import parse_flow
from openflow.text import flow_text
from openflow.values import Flow, ToGroup, merged
from prewire.explaining.concerned import units_of_flow
from prewire.explaining.policy import class_numbered
from ryu_apps.compile import unit_rules
from ryu_apps.stations import all_stations


@dataclass(frozen=True, slots=True)
class ExplainedFlow:
    """A flow's origin. wanted: "" if it should not be there, else how it should read; route: the
    switch that its group leads to, "" where it has no such group."""

    switch: str
    owner: str
    origin: str
    wanted: str
    route: str = ""


def explain_flow(text: str, switch: Switch, view: Lookups) -> ExplainedFlow:
    """Explain a flow as `ovs-ofctl dump-flows` or prewire prints it; FieldError otherwise."""
    try:
        flow = parse_flow(text)
    except (ValueError, KeyError) as error:
        raise FieldError("flow", str(error), "give one line of ovs-ofctl dump-flows") from None
    rules = merged(unit_rules(unit, view, switch) for unit in units_of_flow(flow, view))
    wanted = {each.key: each for each in rules.flows}.get(flow.key)
    return ExplainedFlow(
        switch.dpid,
        _owner(flow, switch, view),
        wanted.origin if wanted else "",
        flow_text(wanted) if wanted else "",
        ", ".join(route_targets(flow, view)),
    )


def route_target(group_id: int, view: Lookups) -> str | None:
    """The switch, as name and datapath id, that a group leads to; None: it is no route's."""
    if group_id not in ROUTE_IDS:
        return None
    zone = group_id - ROUTE_IDS.start
    found = [switch for switch in view.all(Switch) if switch.ct_zone == zone]
    return f"{found[0].name} ({found[0].dpid})" if found else f"zone {zone}, no switch's now"


def route_targets(flow: Flow, view: Lookups) -> Iterator[str]:
    """The switches that a flow's groups lead to."""
    for action in flow.actions:
        target = route_target(action.group_id, view) if isinstance(action, ToGroup) else None
        if target is not None:
            yield target


def _owner(flow: Flow, switch: Switch, view: Lookups) -> str:
    cookie = cookies.read(flow.cookie)
    if cookie is None:
        return "not prewire's: its cookie does not begin with 0x70"
    return f"{_object(cookie, switch, view)}, written in epoch {cookie.epoch}"


def _object(cookie: Cookie, switch: Switch, view: Lookups) -> str:
    number = cookie.number
    if cookie.kind == Kind.PORT:
        port = view.port_numbered(switch.dpid, number)
        return f"port {number} ({port.name if port else 'gone'})"
    return _OBJECTS[cookie.kind](number, view)


def _base(number: int, _: Lookups) -> str:
    return f"base, programmed from database {number:08x}" if number else "base"


def _service(number: int, view: Lookups) -> str:
    service = view.service_numbered(number)
    return f"service {service.name if service else f'number {number}, gone'}"


def _container(number: int, view: Lookups) -> str:
    container = view.container_numbered(number)
    return f"container {'/'.join(container.key) if container else f'number {number}, gone'}"


def _policy(number: int, view: Lookups) -> str:
    policy = view.policy_numbered(number)
    return f"policy {policy.name if policy else f'number {number}, gone'}"


def _class(number: int, view: Lookups) -> str:
    """The class that a cookie's number stands for; 0 stands for what all classes share."""
    if not number:
        return "classes"
    known = class_numbered(number, view)
    return f"class {known.name if known else f'with DSCP {number - 1}, gone'}"


def _address(number: int, view: Lookups) -> str:
    """The address that a cookie's number stands for: an IPv6 one by what is in the database."""
    known = {service.vip for service in view.all(Service)}
    known |= {container.address for container in view.all(Container)}
    found = sorted(each for each in known if address_number(each) == number)
    return found[0] if found else str(IPv4Address(number))


def _station(number: int, view: Lookups) -> str:
    """The station whose MAC address ends in these 32 bits, and what it is known as."""
    ending = ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))
    found = sorted(mac for mac in all_stations(view) if mac.endswith(ending))
    if not found:
        return f"..:{ending}, gone"
    mac = found[0]
    known = sorted("/".join(each.key) for each in view.containers_with_mac(mac))
    host = view.get(Host, mac)
    known = known or sorted(host.addresses if host else ())
    return f"{mac} ({' '.join(known)})" if known else mac


# What the object number of a cookie stands for, where any switch says so.
_OBJECTS: Final[Mapping[Kind, Callable[[int, Lookups], str]]] = {
    Kind.BASE: _base,
    Kind.VIP: lambda number, view: f"vip {_address(number, view)}",
    Kind.HOST: lambda number, view: f"host {_address(number, view)}",
    Kind.SERVICE: _service,
    Kind.CONTAINER: _container,
    Kind.STATION: lambda number, view: f"station {_station(number, view)}",
    Kind.POLICY: _policy,
    Kind.CLASS: _class,
    Kind.MEMBER: lambda number, view: f"address {_address(number, view)} of a service",
}
