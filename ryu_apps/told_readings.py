"""What switches were about to tell the controller, and dropped instead, as Prometheus metrics.

Switches tell of packets through a meter for each reason. Takes readings of these meters.

Must not know: how switches are asked, what is done about what they tell (`ryu_apps.punt`,
`ryu_apps.learning`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway_lb import pipeline
from nib.database import Nib
from nib.topology import Switch
from ryu_apps import forwarding
from ryu_apps.policy_readings import meter_count
from ryu_apps.totals import Totals

# Reason of a packet-in -> its meter.
REASONS: Final = {
    "reset": pipeline.RESET_METER,
    "empty": pipeline.EMPTY_METER,
    "admit": pipeline.ADMIT_METER,
    "probe": forwarding.PROBE_METER,
    "learn": forwarding.LEARN_METER,
    "ask": forwarding.ASK_METER,
    "unknown": forwarding.UNKNOWN_METER,
}


class ToldReadings(Collector):
    """Readings may come, and scrapes go, in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._meters: dict[str, Totals[int]] = {}  # packets offered and dropped, by datapath id

    def read(self, dpid: str, meters: Iterable[Any]) -> None:
        """Take a reading of all meters of a switch."""
        counted = {
            each.meter_id: (each.offered[0], each.dropped[0])
            for each in map(meter_count, meters)
            if each.meter_id in REASONS.values()
        }
        with self._lock:
            known = self._meters.setdefault(dpid, Totals())
            for meter_id, values in counted.items():
                known.read(meter_id, values)
            known.start_again_but(counted.keys())

    def collect(self) -> Iterator[Metric]:
        """All metrics; the registry calls it at every scrape."""
        offered = CounterMetricFamily(
            "prewire_told_packets",
            "Packets that a switch had to tell the controller of, by reason: reset (of a "
            "connection whose container is gone), empty (no container), admit (a cap), probe (of "
            "a link), learn (who speaks), ask (looks for a station), unknown (for a station that "
            "nobody knows).",
            labels=["switch", "reason"],
        )
        dropped = CounterMetricFamily(
            "prewire_told_dropped_packets",
            "Packets of these that the switch dropped instead: there were too many at once.",
            labels=["switch", "reason"],
        )
        with self._lock, self._nib.view() as view:
            for dpid, meters in self._meters.items():
                for reason, meter_id in REASONS.items():
                    total = meters.total(meter_id)
                    if total is not None and view.get(Switch, dpid) is not None:
                        offered.add_metric([dpid, reason], total[0])
                        dropped.add_metric([dpid, reason], total[1])
        yield offered
        yield dropped

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())
