"""Where stations are: containers, and every other machine that speaks at an edge port.

A station is known by its MAC address. What was said of it counts in this order: the place a
container was registered at, the port whose interface names the address (`attached-mac`), the edge
port it was heard at.

Must not know: flows, how stations are heard.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway_lb.placement import port_of
from nib.intent import Container
from nib.mirror import Lookups
from nib.places import port_called
from nib.topology import Host, Port


def all_stations(view: Lookups) -> set[str]:
    """The MAC addresses of all stations."""
    macs = {container.mac for container in view.all(Container)}
    macs |= {host.mac for host in view.all(Host)}
    return macs | {port.attached_mac for port in view.all(Port) if port.attached_mac}


def located(mac: str, view: Lookups) -> Port | None:
    """The port that a station is behind; None where nobody knows."""
    return next(_places(mac, view), None)


def containers_on(port: Port, view: Lookups) -> tuple[Container, ...]:
    """The containers registered at this port, as it is or was: by name, number or iface-id."""
    containers = view.containers_on_port(port.switch, port.name)
    containers += view.containers_on_port(port.switch, str(port.number))
    if port.iface_id is not None:
        containers += view.containers_on_iface(port.iface_id)
    return containers


def stations_on(port: Port, view: Lookups) -> set[str]:
    """The stations that this port, as it is or was, may be the place of."""
    macs = {container.mac for container in containers_on(port, view)}
    macs |= {host.mac for host in view.hosts_on(port.switch, port.name)}
    return macs | ({port.attached_mac} if port.attached_mac else set())


def own_addresses(mac: str, view: Lookups) -> set[str]:
    """The IP addresses that a station speaks from at its place."""
    addresses = {container.address for container in view.containers_with_mac(mac)}
    return addresses | set(learned_addresses(mac, view))


def learned_addresses(mac: str, view: Lookups) -> list[str]:
    """Of a station's addresses those that were heard, and that nobody has a better claim to.

    A VIP is never a station's, a container's address its own; else, for as long as two claim one,
    it is that of the smaller MAC address.
    """
    host = view.get(Host, mac)
    return [] if host is None else sorted(a for a in host.addresses if _is_holder(host, a, view))


def _is_holder(host: Host, address: str, view: Lookups) -> bool:
    if view.services_at_vip(address) or view.containers_at(address):
        return False
    return host.mac == min(other.mac for other in view.hosts_at(address))


def _places(mac: str, view: Lookups) -> Iterator[Port]:
    newest_first = sorted(view.containers_with_mac(mac), key=lambda c: c.number, reverse=True)
    for container in newest_first:
        port = port_of(container, view)
        if port is not None:
            yield port
    yield from sorted(view.ports_with_mac(mac), key=lambda port: port.key)
    host = view.get(Host, mac)
    heard = None if host is None else port_called(host.switch, host.port, view)
    if heard is not None:
        yield heard
