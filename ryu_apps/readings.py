"""The counters read from switches, as Prometheus metrics.

Takes readings of flows, groups and ports; at a scrape names them by the database's services,
containers and ports. What no longer exists there is forgotten, whether or not anybody scrapes. No
label names a client or a flow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from nib.database import Nib
from nib.intent import Service
from nib.mirror import Lookups
from nib.topology import Port
from openflow.cookies import GROUP_IDS, Kind
from openflow.values import Match
from ryu_apps.counters import OWN_PRIORITY, Series, counts_by_flags, series_of
from ryu_apps.entries import FlowEntry
from ryu_apps.reports import NotOurs, match_of
from ryu_apps.stations import located
from ryu_apps.totals import Totals

# Metric name after "prewire_port_", attribute of a port statistics entry, what it says.
_PORT_COUNTERS: Final = (
    ("receive_packets", "rx_packets", "Packets that came in by the port."),
    ("transmit_packets", "tx_packets", "Packets that left by the port."),
    ("receive_bytes", "rx_bytes", "Bytes that came in by the port."),
    ("transmit_bytes", "tx_bytes", "Bytes that left by the port."),
    ("receive_dropped", "rx_dropped", "Packets dropped on their way in."),
    ("transmit_dropped", "tx_dropped", "Packets dropped on their way out."),
    ("receive_errors", "rx_errors", "Packets received in error."),
    ("transmit_errors", "tx_errors", "Packets that could not be sent for an error."),
)

# What flows count besides packets: its name after the object's, and what it says.
_CONNECTIONS: Final = {
    "new": (
        "new_connections",
        "Connections that began to this {} (UDP: packets before the answer).",
    ),
    "answered": (
        "answered_connections",
        "Answers to new connections by this {}, where its service has ejection.",
    ),
    "reset": (
        "resets",
        "Connections that this {} refused or broke by a reset, where its service has ejection.",
    ),
}

# Labels by the kind of object.
_LABELS: Final = {Kind.SERVICE: ["service"], Kind.CONTAINER: ["service", "container"]}

Counted = tuple[int, int]  # packets, bytes
Place = tuple[int, int, bytes | Match]  # a flow's table, priority and match, as a switch tells it


class Readings(Collector):
    """Readings may come, and scrapes go, in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._flows: Totals[tuple[str, Series, Place]] = Totals()
        self._groups: Totals[tuple[str, int]] = Totals()
        self._ports: Totals[tuple[str, int]] = Totals()

    def flows(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a reading of flows: packets and bytes by what they count."""
        with self._lock, self._nib.view() as view:
            for entry in entries:
                series = counted_by(entry)
                if series is not None:
                    key = (dpid, series, _place(entry))
                    is_other = _passes_by(series, entry.priority, dpid, view)
                    count = self._flows.begin if is_other else self._flows.read
                    count(key, (entry.packet_count, entry.byte_count))
            self._flows.keep_at_times(lambda key: _names(key[1], view))

    def groups(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a reading of groups: packets by service number."""
        with self._lock, self._nib.view() as view:
            for entry in entries:
                if entry.group_id in GROUP_IDS:
                    number = entry.group_id - GROUP_IDS.start
                    self._groups.read((dpid, number), (entry.packet_count,))
            self._groups.keep_at_times(lambda key: view.service_numbered(key[1]))

    def ports(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a reading of ports: the _PORT_COUNTERS by port number."""
        with self._lock, self._nib.view() as view:
            for entry in entries:
                values = tuple(getattr(entry, name) for _, name, _ in _PORT_COUNTERS)
                self._ports.read((dpid, entry.port_no), values)
            self._ports.keep_at_times(lambda key: view.port_numbered(*key))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many flows, groups and ports are known."""
        with self._lock:
            return len(self._flows), len(self._groups), len(self._ports)

    def collect(self) -> Iterator[Metric]:
        """All metrics; the registry calls it at every scrape."""
        with self._lock, self._nib.view() as view:
            metrics = [*self._flow_metrics(view), self._group_metric(view)]
            metrics += self._port_metrics(view)
        yield from metrics

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())

    def _flow_metrics(self, view: Lookups) -> list[Metric]:
        self._flows.keep(lambda key: _names(key[1], view))
        counts = {
            (kind, what): _connections(kind, what)
            for kind in _LABELS
            for what in _CONNECTIONS
            if kind is Kind.CONTAINER or what == "new"
        }
        packets = {kind: _traffic(kind, "packets") for kind in _LABELS}
        sizes = {kind: _traffic(kind, "bytes") for kind in _LABELS}
        for series, (count, size) in self._summed(view).items():
            labels = _names(series, view) or []
            if series.what in _CONNECTIONS:
                counts[series.kind, series.what].add_metric(labels, count)
            else:
                packets[series.kind].add_metric([*labels, series.what], count)
                sizes[series.kind].add_metric([*labels, series.what], size)
        return [*counts.values(), *packets.values(), *sizes.values()]

    def _summed(self, view: Lookups) -> dict[Series, Counted]:
        """Totals over all switches; what comes from a service is what its containers send."""
        sums: dict[Series, Counted] = {}
        for (_, series, _), (packets, size) in self._flows:
            _add(sums, series, packets, size)
        for series, (packets, size) in list(sums.items()):
            container = view.container_numbered(series.number)
            if series.kind is Kind.CONTAINER and series.what == "from" and container is not None:
                service = view.need(Service, container.service)
                _add(sums, Series(Kind.SERVICE, service.number, "from"), packets, size)
        return sums

    def _group_metric(self, view: Lookups) -> Metric:
        family = CounterMetricFamily(
            "prewire_service_group_packets",
            "First packets of connections that the service's group gave to a container.",
            labels=["switch", "service"],
        )
        self._groups.keep(lambda key: view.service_numbered(key[1]))
        for (dpid, number), (packets,) in self._groups:
            service = view.service_numbered(number)
            assert service is not None  # noqa: S101 - others were just forgotten
            family.add_metric([dpid, service.name], packets)
        return family

    def _port_metrics(self, view: Lookups) -> Iterator[Metric]:
        names = {(port.switch, port.number): port.name for port in view.all(Port)}
        self._ports.keep(names.__contains__)
        for place, (metric, _, text) in enumerate(_PORT_COUNTERS):
            family = CounterMetricFamily(f"prewire_port_{metric}", text, labels=["switch", "port"])
            for key, values in self._ports:
                family.add_metric([key[0], names[key]], values[place])
            yield family


def _add(sums: dict[Series, Counted], series: Series, packets: int, size: int) -> None:
    before = sums.get(series, (0, 0))
    sums[series] = (before[0] + packets, before[1] + size)


def counted_by(entry: Any) -> Series | None:
    """What a flow's packets are counted as; None: nothing, or not our flow.

    Matches are read of the few flows alone where it depends on them.
    """
    wanted = 0
    if counts_by_flags(entry.cookie, entry.table_id):
        try:
            flags = match_of(entry).get("tcp_flags")
        except NotOurs:
            return None
        wanted = 0 if flags is None else flags.value
    return series_of(entry.cookie, entry.table_id, entry.priority, wanted)


def _place(entry: Any) -> Place:
    """Tells a switch's flows of one series apart."""
    told = entry.match_bytes if isinstance(entry, FlowEntry) else match_of(entry)
    return entry.table_id, entry.priority, told


def _passes_by(series: Series, priority: int, dpid: str, view: Lookups) -> bool:
    """Whether a container's packets pass this flow in another switch than its own, which counts."""
    if (series.what, priority) != ("from", OWN_PRIORITY):
        return False
    container = view.container_numbered(series.number)
    place = None if container is None else located(container.mac, view)
    return place is not None and place.switch != dpid


def _names(series: Series, view: Lookups) -> list[str] | None:
    """Label values of a series' object; None where there is none (any more).

    Without conntrack no connection is known to be new.
    """
    if series.kind is Kind.SERVICE:
        service = view.service_numbered(series.number)
        return None if service is None or _is_mute(series, service) else [service.name]
    container = view.container_numbered(series.number)
    if container is None or _is_mute(series, view.need(Service, container.service)):
        return None
    return [container.service, container.id]


def _is_mute(series: Series, service: Service) -> bool:
    return series.what == "new" and service.mode == "stateless"


def _connections(kind: Kind, what: str) -> CounterMetricFamily:
    name, text = _CONNECTIONS[what]
    object_name = kind.name.lower()
    return CounterMetricFamily(
        f"prewire_{object_name}_{name}", text.format(object_name), labels=_LABELS[kind]
    )


def _traffic(kind: Kind, unit: str) -> CounterMetricFamily:
    return CounterMetricFamily(
        f"prewire_{kind.name.lower()}_{unit}",
        f"{unit.capitalize()} to and from this {kind.name.lower()}.",
        labels=[*_LABELS[kind], "direction"],
    )
