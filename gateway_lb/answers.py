"""What REST answers of services and containers: rows, and how they stand.

Owns: the JSON objects of answers, made from a view of the database and the time. What a container's
state is and why, `gateway_lb.balance` says; nothing is decided here.

Must not know: requests, who wrote a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway_lb import balance, lifecycle, shares, verdicts
from gateway_lb.balance import Standing
from gateway_lb.connections import Count, count_of
from gateway_lb.models import CanaryIn, ContainerIn, ServiceIn
from gateway_lb.placement import port_of
from nib.acknowledgement import switches_behind
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Demand, Ejected, Health, Report
from nib.paging import ALL, Next, Page
from nib.records import LocalSlots, SlotTable, field_values

State = Literal[
    "ready", "warming", "draining", "unplaced", "unchecked", "down", "ejected", "full", "idle"
]


class CanaryOut(CanaryIn):
    """A version's share of new connections as it is."""

    started_ms: int = Field(description="when its first step began, milliseconds since 1970")
    present_percent: int = Field(description="its share now")


class DemandOut(BaseModel):
    """Somebody wanted a service that had no container."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"service": "web", "at_ms": 1795322807852, "packets": 3}]}
    )

    service: str
    at_ms: int = Field(description="the last time, milliseconds since 1970")
    packets: int = Field(description="how many packets in all")


class DemandList(BaseModel):
    """Services that were wanted while they had no container, by name."""

    items: list[DemandOut]
    next: Next = None


class ServiceOut(ServiceIn):
    """A service as it is."""

    model_config = ConfigDict(json_schema_extra={})

    name: str
    generation: int = Field(description="the change that stored it last")
    canary: CanaryOut | None = Field(None, description="a version's share; null: by weights alone")
    ready: int = Field(description="containers that take new connections, warming ones included")
    draining: int = Field(description="containers that only keep connections they have")
    states: dict[State, int] = Field(description="containers by state, where there are any")
    panic: bool = Field(description="too few are usable, so checks and ejections are not heeded")
    demand: DemandOut | None = Field(description="when it was wanted without a container; or null")


class ReportOut(BaseModel):
    """What was reported of a container last, and changes what it gets."""

    percent: int = Field(description="of its weight")
    max_inflight: int | None
    word: Literal["", "drain", "down"] = Field(description='"" for ready')
    inflight: int | None


class ContainerOut(ContainerIn):
    """A container as it is."""

    model_config = ConfigDict(json_schema_extra={})

    service: str
    id: str
    state: State
    reason: str = Field(description="why it gets nothing, or less than its due; or empty")
    drain_until_ms: int | None = Field(description="end of draining, milliseconds since 1970")
    seconds_left: float | None = Field(description="of draining")
    connections: int | None = Field(
        description="open ones, in all switches; null: nobody counts them"
    )
    safe_to_stop: bool | None = Field(
        description="it drains, and no connection of it is left; null: nobody counts them"
    )
    generation: int = Field(description="the change that stored it last")
    placed: bool = Field(description="whether a switch reports the port it is behind")
    slots: int = Field(description="slots of the service's group that lead to it")
    slots_in_all: int = Field(description="slots of the service's group")
    share: float = Field(description="slots of slots_in_all, 0 to 1")
    inflight: int | None = Field(description="as reported, or its connections; null: unknown")
    lease_until_ms: int | None = Field(description="end of its lease, milliseconds since 1970")
    healthy: bool | None = Field(description="verdict of its check; null: none yet, or no check")
    health_reason: str = Field(description="what its last failed check met")
    ejected_until_ms: int | None = Field(description="left out for failed connections until then")
    report: ReportOut | None = Field(description="what was reported last, if anything counts of it")


class ServiceList(BaseModel):
    """All services, by name."""

    items: list[ServiceOut]
    next: Next = None


class ContainerList(BaseModel):
    """Containers, by service and id."""

    items: list[ContainerOut]
    next: Next = None


class LeaseOut(BaseModel):
    """A lease."""

    lease_until_ms: int = Field(description="its end, milliseconds since 1970")


class SlotShare(BaseModel):
    """A container's part of a slot table."""

    id: str = Field(description="the container; empty: one that is gone")
    slots: int
    share: float = Field(description="0 to 1")


class LocalSlotsOut(BaseModel):
    """The slots of a service with locality, for clients of one switch."""

    switch: str = Field(description="its datapath id")
    slots_in_all: int
    containers: list[SlotShare] = Field(description="those that have any, by id")


class SlotsOut(BaseModel):
    """A service's slot table. A new connection takes the slot hash modulo their number."""

    service: str
    slots_in_all: int = Field(description="64, 128 or 256; 0 where no container gets connections")
    containers: list[SlotShare] = Field(description="all of the service's, by id")
    slots: list[str] = Field(description="the container of each slot, in order")
    local_slots: list[LocalSlotsOut] = Field(
        description="with locality, what clients of each switch go by instead"
    )


@dataclass(frozen=True, slots=True)
class _Scene:
    """A service at a time, as all answers about its containers need it."""

    view: Lookups
    slots: Counter[int]
    local: frozenset[int]  # containers that clients of some switch are led to
    now_ms: int

    @classmethod
    def of(cls, service: str, view: Lookups, now_ms: int) -> _Scene:
        table = view.get(SlotTable, service)
        return cls(
            view,
            Counter(table.slots if table else ()),
            frozenset[int]().union(*(each.slots for each in view.local_slots_of(service))),
            now_ms,
        )


def service_out(service: Service, view: Lookups, now_ms: int) -> ServiceOut:
    """A service, with how its containers stand at a time."""
    standings = balance.service_standings(service.name, view, now_ms)
    states = Counter(standing.state for standing in standings.items)
    demand = view.get(Demand, service.name)
    canary = service.canary
    return ServiceOut.model_validate(
        {
            **asdict(service),
            "canary": canary
            and {
                **asdict(canary),
                "present_percent": shares.canary_percent(canary, now_ms),
            },
            "ready": states[verdicts.READY] + states[verdicts.WARMING],
            "draining": states[verdicts.DRAINING],
            "states": {state: states[state] for state in verdicts.STATES if states[state]},
            "panic": standings.panic,
            "demand": demand and asdict(demand),
        },
        extra="ignore",
    )


def container_out(container: Container, view: Lookups, now_ms: int) -> ContainerOut:
    """A container, with how it stands at a time."""
    standing = balance.container_standing(container, view, now_ms)
    return _container_out(standing, _Scene.of(container.service, view, now_ms))


def service_list(view: Lookups, now_ms: int, page: Page = ALL) -> ServiceList:
    """Services by name."""
    part = page.cut(view.all(Service), lambda service: service.name)
    items = [service_out(service, view, now_ms) for service in part.rows]
    return ServiceList(items=items, next=part.next)


def container_list(service: str, view: Lookups, now_ms: int, page: Page = ALL) -> ContainerList:
    """Containers of a service. NotFound where there is no such service."""
    scene = _Scene.of(service, view, now_ms)
    standings = balance.service_standings(service, view, now_ms)
    part = page.cut(standings.items, lambda standing: standing.container.id)
    items = [_container_out(standing, scene) for standing in part.rows]
    return ContainerList(items=items, next=part.next)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which containers are meant: None of a field means any."""

    service: str | None = None
    switch: str | None = None
    version: str | None = None
    state: State | None = None


def all_containers(view: Lookups, now_ms: int, chosen: Chosen, page: Page = ALL) -> ContainerList:
    """Containers of all services; switch: the datapath id of the one that has its port."""
    meant = [each for each in view.all(Container) if _is_meant(each, chosen, view)]
    scenes = _Scenes(view, now_ms)
    if chosen.state is not None:
        meant = [each for each in meant if scenes.standing(each).state == chosen.state]
    part = page.cut(meant, lambda container: container.key)
    items = [_container_out(scenes.standing(each), scenes[each.service][0]) for each in part.rows]
    return ContainerList(items=items, next=part.next)


class _Scenes(dict[str, tuple[_Scene, dict[str, Standing]]]):
    """By service, its scene and how its containers stand, made when it is first asked for."""

    def __init__(self, view: Lookups, now_ms: int) -> None:
        super().__init__()
        self._view = view
        self._now_ms = now_ms

    def __missing__(self, service: str) -> tuple[_Scene, dict[str, Standing]]:
        scene = _Scene.of(service, self._view, self._now_ms)
        found = balance.service_standings(service, self._view, self._now_ms)
        self[service] = scene, {each.container.id: each for each in found.items}
        return self[service]

    def standing(self, container: Container) -> Standing:
        """How a container stands."""
        return self[container.service][1][container.id]


def _is_meant(container: Container, chosen: Chosen, view: Lookups) -> bool:
    """Whether it is one of those that are chosen, but for its state."""
    if chosen.service not in (None, container.service):
        return False
    if chosen.version not in (None, container.version):
        return False
    if chosen.switch is None:
        return True
    port = port_of(container, view)
    return port is not None and port.switch == chosen.switch


def slots_out(service: Service, view: Lookups) -> SlotsOut:
    """A service's slot table by container ids."""
    table = view.get(SlotTable, service.name)
    numbers = table.slots if table else ()
    ids = {container.number: container.id for container in view.containers_of(service.name)}
    slots = [ids.get(number, "") for number in numbers]
    return SlotsOut(
        service=service.name,
        slots_in_all=len(slots),
        containers=_slot_shares(slots, {*ids.values(), *slots}),
        slots=slots,
        local_slots=[
            _local_slots_out(local, ids)
            for local in sorted(view.local_slots_of(service.name), key=lambda each: each.switch)
        ],
    )


def _local_slots_out(local: LocalSlots, ids: Mapping[int, str]) -> LocalSlotsOut:
    slots = [ids.get(number, "") for number in local.slots]
    return LocalSlotsOut(
        switch=local.switch,
        slots_in_all=len(slots),
        containers=_slot_shares(slots, slots),
    )


def _slot_shares(slots: Sequence[str], names: Iterable[str]) -> list[SlotShare]:
    count = Counter(slots)
    return [
        SlotShare(id=name, slots=count[name], share=_share(count[name], len(slots)))
        for name in sorted(set(names))
    ]


def demand_list(demands: Iterable[Demand], page: Page = ALL) -> DemandList:
    """Demands by service."""
    part = page.cut(demands, lambda demand: demand.service)
    items = [DemandOut(**asdict(demand)) for demand in part.rows]
    return DemandList(items=items, next=part.next)


def _container_out(standing: Standing, scene: _Scene) -> ContainerOut:
    container, view = standing.container, scene.view
    slots, in_all = scene.slots[container.number], scene.slots.total()
    counted = count_of(container.key, view)
    health = view.get(Health, container.key)
    ejected = view.get(Ejected, container.key)
    report = view.get(Report, container.key)
    until = container.drain_until_ms
    return ContainerOut.model_validate(
        {
            **field_values(container),
            "state": standing.state,
            "reason": standing.reason,
            "seconds_left": None if until is None else max(0, until - scene.now_ms) / 1000,
            "connections": counted and counted.open,
            "safe_to_stop": _is_safe_to_stop(container, counted, scene),
            "placed": port_of(container, view) is not None,
            "slots": slots,
            "slots_in_all": in_all,
            "share": _share(slots, in_all),
            "inflight": standing.inflight,
            "healthy": health and health.up,
            "health_reason": health.reason if health else "",
            "ejected_until_ms": ejected.until_ms
            if ejected and ejected.until_ms > scene.now_ms
            else None,
            "report": report and {
                "percent": report.percent,
                "max_inflight": report.max_inflight,
                "word": report.word,
                "inflight": report.inflight,
            },
        },
        extra="ignore",
    )  # fmt: skip


def _is_safe_to_stop(container: Container, counted: Count | None, scene: _Scene) -> bool | None:
    """Whether it drains, no switch sends it a new connection, and none it had is left.

    None while nobody counts its connections.
    """
    safe = lifecycle.safe_to_stop(container, counted, scene.now_ms)
    is_over = container.drain_until_ms is not None and container.drain_until_ms <= scene.now_ms
    if safe and not is_over:
        has_slots = container.number in scene.slots or container.number in scene.local
        return not has_slots and not switches_behind(scene.view, container.generation)
    return safe


def _share(slots: int, in_all: int) -> float:
    return round(slots / in_all, 4) if in_all else 0.0
