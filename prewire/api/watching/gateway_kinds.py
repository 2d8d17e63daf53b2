"""Services, their containers and demand, as watchers see them.

Owns: which rows change which service, and when time does.
Must not know: watchers, HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from gateway_lb.answers import container_list, demand_list, service_out
from gateway_lb.balance import service_standings
from nib.intent import Container, Service
from nib.mirror import Lookups, RowChange
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.records import LocalSlots, Record, SlotTable
from nib.topology import Port, Switch
from prewire.api.watching.kinds import Keyed, Kind, Touch, Touched, by, soonest
from ryu_apps.stations import containers_on


def of_service(record: Record) -> str:
    """The service that a row names."""
    return str(cast(Any, record).service)


def behind_port(change: RowChange, view: Lookups) -> Touched:
    """The services that have a container at this port, as it is or was."""
    ports = (cast("Port | None", each) for each in (change.old, change.new))
    return {each.service for port in ports if port for each in containers_on(port, view)}


def draining(_change: RowChange, view: Lookups) -> Touched:
    """The services with a container that drains: whether it is safe to stop, switches decide."""
    return view.derived(_draining, Container)


def _draining(view: Lookups) -> frozenset[str]:
    return frozenset(each.service for each in view.all(Container) if each.state != "ready")


def service_names(view: Lookups) -> Iterator[str]:
    """All services."""
    return (service.name for service in view.all(Service))


# What changes how a service's containers stand.
STANDING: Final[dict[type[Record], Touch]] = {
    Service: by(lambda record: cast(Service, record).name),
    Port: behind_port,
    **dict.fromkeys((Container, Report, Health, Connections, Ejected), by(of_service)),
}


def _services(name: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    service = view.get(Service, name)
    if service is not None:
        yield name, service_out(service, view, now_ms)


def _containers(name: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    if view.get(Service, name) is not None:
        for each in container_list(name, view, now_ms).items:
            yield f"{name}/{each.id}", each


def _service_due(name: str, view: Lookups, now_ms: int) -> int | None:
    if view.get(Service, name) is None:
        return None
    return soonest((service_standings(name, view, now_ms).next_ms,), now_ms)


def _containers_due(name: str, view: Lookups, now_ms: int) -> int | None:
    drains = (container.drain_until_ms for container in view.containers_of(name))
    return soonest((_service_due(name, view, now_ms), *drains), now_ms)


def _demand(name: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    row = view.get(Demand, name)
    if row is not None:
        yield name, demand_list((row,)).items[0]


SERVICES: Final = Kind(
    "services",
    "/v1/services",
    {**STANDING, Demand: by(of_service)},
    service_names,
    _services,
    _service_due,
)
CONTAINERS: Final = Kind(
    "containers",
    "/v1/containers",
    {**STANDING, SlotTable: by(of_service), LocalSlots: by(of_service), Switch: draining},
    service_names,
    _containers,
    _containers_due,
    filters=("service", "state"),
    volatile=frozenset({"seconds_left"}),
)
DEMAND: Final = Kind(
    "demand",
    "/v1/demand",
    {Demand: by(of_service)},
    lambda view: (each.service for each in view.all(Demand)),
    _demand,
)
KINDS: Final = (SERVICES, CONTAINERS, DEMAND)
