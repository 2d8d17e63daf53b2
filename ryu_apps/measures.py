"""What the controller measures of itself: messages, errors, and how long programming takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from nib.mirror import RowChange
from nib.observed import Demand

# From a tenth of a millisecond to ten seconds.
_BUCKETS = (0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Measures:
    """Prometheus metrics that the apps update as they work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each series is doubled
        self.epoch = Gauge(
            "prewire_leader_epoch",
            "Epoch in which this controller leads; 0: another one does.",
            registry=registry,
        )
        self.build = Gauge(
            "prewire_build_info", "Always 1; labels say what runs.", ["version"], registry=registry
        )
        self.build.labels(_version()).set(1)
        self._begin_switches(registry)
        self.programming = Histogram(
            "prewire_programming_seconds",
            "Time a change takes, by stage: queued (until the controller takes it up), compile, "
            "tick (dealing the slots of all services whose load or health changed), "
            "switch (from its arrival to the last barrier reply of one switch).",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._begin_services(registry)

    def _begin_switches(self, registry: CollectorRegistry) -> None:
        switch = ["switch"]
        self.connected = Gauge(
            "prewire_switch_connected",
            "Whether the switch's OpenFlow connection stands.",
            switch,
            registry=registry,
        )
        self.applied = Gauge(
            "prewire_switch_applied_generation",
            "Generation of intent that the switch acknowledged by barrier.",
            switch,
            registry=registry,
        )
        self.ready = Gauge(
            "prewire_switch_ready_seconds",
            "From when the switch last took this controller as its master until it held all rules.",
            switch,
            registry=registry,
        )
        self.messages = Counter(
            "prewire_switch_rule_messages_total",
            "Flow, group and meter messages sent.",
            switch,
            registry=registry,
        )
        self.errors = Counter(
            "prewire_switch_errors_total",
            "OpenFlow error messages received.",
            switch,
            registry=registry,
        )
        self.read_at = Gauge(
            "prewire_switch_read_timestamp_seconds",
            "When the switch's counters were last read to the end, in seconds since 1970.",
            switch,
            registry=registry,
        )
        self.read_backs = Counter(
            "prewire_switch_read_backs_total",
            "Times that the switch was read back by the clock, to its end.",
            switch,
            registry=registry,
        )
        self.repaired = Counter(
            "prewire_repaired_rules_total",
            "Rules that a read-back found otherwise than wanted, and that were put right: missing "
            "or altered ones, and alien ones with prewire's cookie or ids.",
            ["switch", "kind"],
            registry=registry,
        )

    def _begin_services(self, registry: CollectorRegistry) -> None:
        service = ["service"]
        self.slot_moves = Counter(
            "prewire_service_slot_moves_total",
            "Slots that were given to another container.",
            service,
            registry=registry,
        )
        self.demand = Counter(
            "prewire_service_demand_packets_total",
            "First packets of connections that found no container, as far as switches told.",
            service,
            registry=registry,
        )
        self.lease_expirations = Counter(
            "prewire_lease_expirations_total",
            "Containers that drain because their lease was not renewed.",
            service,
            registry=registry,
        )
        self.ejections = Counter(
            "prewire_ejections_total",
            "Containers left out because their connections failed.",
            service,
            registry=registry,
        )

    def count_moved_slots(self, moved: Mapping[str, int]) -> None:
        """Count slots that were given to another container, by service."""
        for service, slots in moved.items():
            self.slot_moves.labels(service).inc(slots)

    def count_demand(self, changes: Iterable[RowChange]) -> None:
        """Count the packets by which Demand rows grew; a row begins anew when it was met."""
        for change in changes:
            if isinstance(change.new, Demand):
                before = change.old.packets if isinstance(change.old, Demand) else 0
                self.demand.labels(change.new.service).inc(max(0, change.new.packets - before))

    def forget(self, service: str) -> None:
        """The service is gone: its series end."""
        for counter in (self.slot_moves, self.demand, self.lease_expirations, self.ejections):
            with suppress(KeyError):  # it had none
                counter.remove(service)

    def took(self, stage: str, since: float) -> float:
        """Record a stage that began at `since` (monotonic seconds) and ends now; returns now."""
        now = time.monotonic()
        self.programming.labels(stage).observe(now - since)
        return now


def _version() -> str:
    try:
        return version("prewire")
    except PackageNotFoundError:
        return "unknown"
