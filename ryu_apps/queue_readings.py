"""What switches counted of queues, as Prometheus metrics.

Takes readings of queues; at a scrape names them by the database's ports and classes. How long a
queue has been there is not shown: the userspace datapath tells nonsense of it. A counter that a
switch does not have is zero. DPDK ports tell of queues only where they are asked for one by one.

Must not know: how switches are asked, how queues are set.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from nib.database import Nib
from nib.qos import PortQos
from qos.classes import classes_of
from qos.queues import POLICER
from ryu_apps.totals import Totals

# Metric name after "prewire_queue_", attribute of a queue statistics entry, what it says.
_COUNTERS: Final = (
    ("bytes", "tx_bytes", "Bytes that left by the queue."),
    ("packets", "tx_packets", "Packets that left by the queue."),
    ("dropped_packets", "tx_errors", "Packets that the queue dropped."),
)
_LABELS: Final = ["switch", "port", "queue", "class"]
_Queue: TypeAlias = tuple[int, int]  # port, queue
_UNKNOWN: Final = (1 << 64) - 1  # of a counter that the switch does not have


class QueueReadings(Collector):
    """Readings may come, and scrapes go, in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._queues: dict[str, Totals[_Queue]] = {}  # by datapath id
        self._apart: dict[str, frozenset[_Queue]] = {}  # by datapath id: those asked for one by one

    def apart(self, dpid: str) -> Iterable[_Queue]:
        """The ports and queues, by number, of a switch that are to be asked for one by one."""
        with self._lock, self._nib.view() as view:
            found = {
                (port.number, each.queue)
                for port in view.ports_of(dpid)
                if (how := view.get(PortQos, port.key)) is not None and how.method == POLICER
                for each in classes_of(view).values()
            }
            self._apart[dpid] = frozenset(found)
        return sorted(found)

    def read(self, dpid: str, entries: Collection[Any]) -> None:
        """Take a reading of all queues of a switch."""
        with self._lock:
            counted = self._count(dpid, entries)
            self._queues[dpid].start_again_but(counted | self._apart.get(dpid, frozenset()))

    def read_apart(self, dpid: str, entries: Collection[Any]) -> None:
        """Take a reading of a queue that was asked for by itself."""
        with self._lock:
            self._count(dpid, entries)

    def _count(self, dpid: str, entries: Collection[Any]) -> set[_Queue]:
        """Those that were counted."""
        queues = self._queues.setdefault(dpid, Totals())
        with self._nib.view() as view:
            queues.keep_at_times(lambda queue: view.port_numbered(dpid, queue[0]))
        counted = set()
        for entry in entries:
            if entry.tx_packets != _UNKNOWN:
                key = (entry.port_no, entry.queue_id)
                queues.read(key, tuple(_known(getattr(entry, name)) for _, name, _ in _COUNTERS))
                counted.add(key)
        return counted

    def collect(self) -> Iterator[Metric]:
        """All metrics; the registry calls it at every scrape."""
        families = [
            CounterMetricFamily(f"prewire_queue_{name}", text, labels=_LABELS)
            for name, _, text in _COUNTERS
        ]
        with self._lock, self._nib.view() as view:
            classes = {each.queue: each.name for each in classes_of(view).values()}
            for dpid, queues in self._queues.items():
                ports = {port.number: port.name for port in view.ports_of(dpid)}
                queues.keep(partial(_is_at, ports))
                for (port, queue), values in queues:
                    labels = [dpid, ports[port], str(queue), classes.get(queue, "")]
                    for family, value in zip(families, values, strict=True):
                        family.add_metric(labels, value)
        yield from families

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())


def _is_at(ports: Collection[int], queue: tuple[int, int]) -> bool:
    return queue[0] in ports


def _known(count: int) -> int:
    return 0 if count == _UNKNOWN else count
