"""Hosts: stations that nobody registered, known by what they say at edge ports.

Where one speaks last is where it is, and what it says last is its address. But nobody may claim
what is somebody else's by intent: a VIP or its MAC address, the MAC or IP address of a container,
or the `attached-mac` of another port. Between hosts that nobody registered, the last one is
believed; register what must not be impersonated.

Pure: reads a view of the database, returns rows.

Must not know: packets, transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from gateway_lb.neighbours import VIP_MAC
from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.mirror import Lookups, RowChange
from nib.topology import MAX_HOST_ADDRESSES, Host, Link, Port
from ryu_apps.routing import is_fabric_port

# One port must not fill the database.
MAX_HOSTS_AT_PORT: Final = 256


def obstacle(mac: str, address: str, port: Port, view: Lookups) -> str:
    """Why a station at a port cannot be this one, with this address ("": none yet); "" = it can.

    vip, container, attached: whose it is instead; fabric: no station is at such a port; full:
    there are MAX_HOSTS_AT_PORT others.
    """
    if is_fabric_port(port, view):
        return "fabric"
    if mac == VIP_MAC or (address and view.services_at_vip(address)):
        return "vip"
    if _is_container_elsewhere(mac, port, view) or _is_anothers(address, mac, view):
        return "container"
    if _is_attached_elsewhere(mac, port, view):
        return "attached"
    host = view.get(Host, mac)
    is_new = host is None or (host.switch, host.port) != port.key
    if is_new and len(view.hosts_on(*port.key)) >= MAX_HOSTS_AT_PORT:
        return "full"
    return ""


def learned(mac: str, address: str, port: Port, view: Lookups) -> list[Host]:
    """The rows to store when a station that may be this one has spoken; [] where it is known.

    What is registered as a container is known by that. A host keeps its addresses when it moves;
    another host that had its address loses it. Of too many addresses the new one is kept.
    """
    if view.containers_with_mac(mac):
        return []
    known = view.get(Host, mac)
    addresses = frozenset() if known is None else known.addresses
    if address and address not in addresses:
        addresses = frozenset([*sorted(addresses)[: MAX_HOST_ADDRESSES - 1], address])
    rows = [Host(mac, port.switch, port.name, addresses)]
    for other in view.hosts_at(address):
        if other.mac != mac:
            rows.append(replace(other, addresses=other.addresses - {address}))
    return [row for row in rows if row != view.get(Host, row.mac)]


def lawful(host: Host, view: Lookups) -> Host | None:
    """A stored host without what it may not claim any more; None: it must go.

    A host stays while its port is down, or its switch away.
    """
    port = view.get(Port, (host.switch, host.port))
    if port is None or is_fabric_port(port, view) or host.mac == VIP_MAC:
        return None
    if view.containers_with_mac(host.mac) or _is_attached_elsewhere(host.mac, port, view):
        return None
    kept = frozenset(
        address
        for address in host.addresses
        if not view.services_at_vip(address) and not _is_anothers(address, host.mac, view)
    )
    return replace(host, addresses=kept)


def concerned(change: RowChange, view: Lookups) -> Iterator[Host]:
    """The hosts that a changed row may make unlawful."""
    match change.record:
        case Container(mac=mac, address=address):
            yield from _with_mac(mac, view)
            yield from view.hosts_at(address)
        case Service(vip=vip):
            yield from view.hosts_at(vip)
        case Link() as link:
            yield from view.hosts_on(link.switch, link.port)
            yield from view.hosts_on(link.peer, link.peer_port)
        case Port(attached_mac=mac) as port:
            if change.new is None:
                yield from view.hosts_on(*port.key)
            elif mac is not None:
                yield from _with_mac(mac, view)
        case Host():
            yield from _with_mac(change.record.mac, view)


def _with_mac(mac: str, view: Lookups) -> Iterator[Host]:
    host = view.get(Host, mac)
    if host is not None:
        yield host


def _is_container_elsewhere(mac: str, port: Port, view: Lookups) -> bool:
    containers = view.containers_with_mac(mac)
    places = [place for place in (port_of(each, view) for each in containers) if place is not None]
    return bool(places) and all(place.key != port.key for place in places)


def _is_anothers(address: str, mac: str, view: Lookups) -> bool:
    """Whether an address is registered, and not with this MAC address."""
    containers = view.containers_at(address)
    return bool(containers) and all(container.mac != mac for container in containers)


def _is_attached_elsewhere(mac: str, port: Port, view: Lookups) -> bool:
    attached = view.ports_with_mac(mac)
    return bool(attached) and all(place.key != port.key for place in attached)
