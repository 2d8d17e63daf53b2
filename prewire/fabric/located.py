"""Stations as an operator sees them: who is where, and how that is known.

A station is a machine with a MAC address: a container, what an interface names as its
`attached-mac`, or a host that was heard at an edge port. Pure: a view of the database in, values
out.

Must not know: how stations are heard, HTTP.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, Field

from gateway_lb.health import health_iface
from gateway_lb.placement import port_of
from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.places import port_called
from nib.topology import Host, Port, Switch
from ryu_apps.stations import all_stations, located, own_addresses

Source = Literal["container", "attached", "learned", "agent"]


class HostOut(BaseModel):
    """A station: where it is, and how that is known."""

    mac: str
    addresses: list[str] = Field(description="its own; a VIP is nobody's")
    switch: str | None = Field(description="datapath id; null while nobody knows the place")
    switch_name: str
    port: str | None
    source: Source = Field(
        description="what tells the place: the registration of a container, the port's "
        "attached-mac, or what it sent; agent: it is a node agent's own port"
    )
    containers: list[str] = Field(description="registered with it, as service/container")
    problem: str = Field(description="why it may not be reached; empty if nothing is known")


class HostList(BaseModel):
    """Stations, by MAC address."""

    items: list[HostOut]
    next: Next = None


def host_list(view: Lookups, *, switch: str | None = None, page: Page = ALL) -> HostList:
    """All stations, or those at one switch."""
    meant = [mac for mac in all_stations(view) if switch is None or _is_at(mac, switch, view)]
    part = page.cut(meant, str)
    return HostList(items=[_told(mac, view) for mac in part.rows], next=part.next)


def _is_at(mac: str, switch: str, view: Lookups) -> bool:
    port = located(mac, view)
    return port is not None and port.switch == switch


def host_out(mac: str, view: Lookups) -> HostOut | None:
    """One station; None where nobody has this MAC address."""
    return _told(mac, view) if mac in all_stations(view) else None


def _told(mac: str, view: Lookups) -> HostOut:
    port = located(mac, view)
    switch = view.get(Switch, port.switch) if port else None
    return HostOut(
        mac=mac,
        addresses=sorted(own_addresses(mac, view), key=_in_order),
        switch=port.switch if port else None,
        switch_name=switch.name if switch else "",
        port=port.name if port else None,
        source=_source(mac, port, view),
        containers=sorted("/".join(each.key) for each in view.containers_with_mac(mac)),
        problem=_problem(mac, port, view),
    )


def _source(mac: str, port: Port | None, view: Lookups) -> Source:
    """What tells that a station is at this port, in the order in which it counts."""
    containers = view.containers_with_mac(mac)
    if any(port is None or port_of(container, view) == port for container in containers):
        return "container"
    if port is not None and port.attached_mac == mac:
        return "agent" if port.iface_id == health_iface(port.switch) else "attached"
    return "learned"


def _problem(mac: str, port: Port | None, view: Lookups) -> str:
    host = view.get(Host, mac)
    if port is None:
        return "no switch has the port it is said to be at"
    if not port.up:
        return "its port is down"
    heard = port_called(host.switch, host.port, view) if host else None
    if heard is not None and heard != port:
        return f"it was heard at port {heard.name} of {heard.switch}"
    return ""


def _in_order(address: str) -> tuple[int, int]:
    parsed = ip_address(address)
    return parsed.version, int(parsed)
