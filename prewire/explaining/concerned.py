"""Which units of the pipeline can take a packet or hold a flow: the few that are worth compiling.

A unit matches only packets that have an address of its object, or of what load balancing rewrites
to it. So the addresses in a packet, and those of the services they belong to, name every unit that
it can meet on its way. Pure: a view of the database in, units out.

Must not know: the flows of a unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.topology import Host
from openflow import cookies
from openflow.cookies import Kind
from openflow.fields import (
    CT_MARK,
    ENDPOINT,
    FIELDS,
    IPV4,
    IPV6,
    MAC,
    SOURCE_SERVICE,
    TARGET_SERVICE,
)
from openflow.packet import Packet
from openflow.values import Flow
from ryu_apps.units import BASE, CLASSES, PORTS, ROUTES, Unit, all_units, container_unit

# Fields of flows whose values are numbers of services or containers.
_NUMBERED: Final = {each.field for each in (ENDPOINT, CT_MARK, SOURCE_SERVICE, TARGET_SERVICE)}


def units_of_packet(packet: Packet, view: Lookups) -> set[Unit]:
    """All units that can have a flow for the packet, in any switch, as it is and as it becomes."""
    return _units(_shown(packet.items()), (), view)


def units_of_flow(flow: Flow, view: Lookups) -> set[Unit]:
    """All units that can have a flow of this key."""
    fields = [(entry.field, entry.value) for entry in flow.match.entries]
    numbers = [value for field, value in fields if field in _NUMBERED]
    cookie = cookies.read(flow.cookie)
    if cookie is not None and cookie.kind in (Kind.SERVICE, Kind.CONTAINER):
        numbers.append(cookie.number)
    return _units(_shown(fields), _numbered(numbers, view), view)


def _units(named: set[str], services: Iterable[str], view: Lookups) -> set[Unit]:
    """named: IP and MAC addresses."""
    met = _services(named, services, view)
    containers = [each for service in met for each in view.containers_of(service.name)]
    addresses = named | {each.address for each in containers}
    macs = {each.mac for address in addresses for each in _stations_at(address, view)}
    units = {Unit("service", service.name) for service in met}
    units |= {container_unit(each) for each in containers}
    units |= {Unit("vip", address) for address in named | {service.vip for service in met}}
    units |= {Unit("host", address) for address in addresses}
    units |= {Unit("station", mac) for mac in named | macs}
    units |= {Unit("member", address) for address in addresses}
    units |= {Unit("policy", name) for name in _policies(met, addresses, view)}
    return {BASE, PORTS, ROUTES, CLASSES} | (units & all_units(view))


def _policies(met: Iterable[Service], addresses: Iterable[str], view: Lookups) -> set[str]:
    """Those of these services, and of all that a container at these addresses is of."""
    names = {service.name for service in met}
    names |= {each.service for address in addresses for each in view.containers_at(address)}
    return {policy.name for name in names for policy in view.policies_of(name)}


def _services(named: set[str], known: Iterable[str], view: Lookups) -> list[Service]:
    """Those of these names, and those at these addresses."""
    names = {*known, *(name for address in named for name in _services_at(address, view))}
    return [service for name in names if (service := view.get(Service, name)) is not None]


def _services_at(address: str, view: Lookups) -> Iterator[str]:
    yield from (service.name for service in view.services_at_vip(address))
    yield from (container.service for container in view.containers_at(address))


def _stations_at(address: str, view: Lookups) -> Iterator[Container | Host]:
    yield from view.containers_at(address)
    yield from view.hosts_at(address)


def _numbered(numbers: Iterable[int], view: Lookups) -> Iterator[str]:
    """The services that have these numbers, or containers that do."""
    for number in numbers:
        service, container = view.service_numbered(number), view.container_numbered(number)
        yield from (found.name for found in (service,) if found is not None)
        yield from (found.service for found in (container,) if found is not None)


def _shown(fields: Iterable[tuple[str, int]]) -> set[str]:
    """The IP and MAC addresses among the values of header fields."""
    return {
        form.show(value)
        for field, value in fields
        if (form := FIELDS[field].form) in (IPV4, IPV6, MAC)
    }
