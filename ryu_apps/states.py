"""How services and containers stand, as Prometheus metrics.

Everything comes from the database at the time of a scrape: the same rows, and the same judgement
(`gateway_lb.balance`), that slots are dealt by. No label names a client.

Must not know: switches, counters of flows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway_lb.balance import Standing, Standings, service_standings
from gateway_lb.connections import open_connections
from gateway_lb.verdicts import STATES
from nib.database import Nib
from nib.intent import Service
from nib.mirror import Lookups
from nib.records import SlotTable
from ryu_apps.ticks import now_ms

_SERVICE = ["service"]
_CONTAINER = ["service", "container"]


class States(Collector):
    """Scrapes may come in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib

    def collect(self) -> Iterator[Metric]:
        """All metrics. The database is held for one service at a time."""
        with self._nib.view() as view:
            names = sorted(service.name for service in view.all(Service))
        families = _Families()
        for name in names:
            with self._nib.view() as view:
                if view.get(Service, name) is not None:
                    families.add(name, view, service_standings(name, view, now_ms()))
        yield from families.all()

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())


class _Families:
    """The metrics of one scrape."""

    def __init__(self) -> None:
        self._weight = GaugeMetricFamily(
            "prewire_container_weight",
            "Part of its service's new connections that the container should have, 0 to 1.",
            labels=_CONTAINER,
        )
        self._slots = GaugeMetricFamily(
            "prewire_container_slots",
            "Slots of the service's group that lead to this container.",
            labels=_CONTAINER,
        )
        self._inflight = GaugeMetricFamily(
            "prewire_container_inflight",
            "What the container works at: as reported, else its open connections.",
            labels=_CONTAINER,
        )
        self._open = GaugeMetricFamily(
            "prewire_container_connections",
            "Connections of the container that are open, as the switches track them.",
            labels=_CONTAINER,
        )
        self._state = GaugeMetricFamily(
            "prewire_container_state",
            "1 for the state that the container is in, 0 for the others.",
            labels=[*_CONTAINER, "state"],
        )
        self._panic = GaugeMetricFamily(
            "prewire_service_panic",
            "1 while so few containers are usable that checks and ejections are not heeded.",
            labels=_SERVICE,
        )
        self._containers = GaugeMetricFamily(
            "prewire_service_containers",
            "Containers of the service, by state.",
            labels=[*_SERVICE, "state"],
        )

    def all(self) -> tuple[Metric, ...]:
        """In the order of the page."""
        gauges = (self._weight, self._slots, self._inflight, self._open, self._state)
        return *gauges, self._panic, self._containers

    def add(self, name: str, view: Lookups, standings: Standings) -> None:
        """A service and its containers."""
        self._panic.add_metric([name], standings.panic)
        self._add_states(self._containers, [name], (each.state for each in standings.items))
        table = view.get(SlotTable, name)
        slots = Counter(table.slots if table else ())
        whole = sum(standings.weights.values()) or 1
        for standing in standings.items:
            labels = list(standing.container.key)
            self._weight.add_metric(labels, standing.weight / whole)
            self._slots.add_metric(labels, slots[standing.container.number])
            self._add_container(labels, view, standing)

    def _add_container(self, labels: list[str], view: Lookups, standing: Standing) -> None:
        self._add_states(self._state, labels, [standing.state])
        if standing.inflight is not None:
            self._inflight.add_metric(labels, standing.inflight)
        connections = open_connections(standing.container.key, view)
        if connections is not None:
            self._open.add_metric(labels, connections)

    def _add_states(
        self, family: GaugeMetricFamily, labels: list[str], found: Iterable[str]
    ) -> None:
        counted = Counter(found)
        for state in STATES:
            family.add_metric([*labels, state], counted[state])
