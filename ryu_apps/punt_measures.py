"""What the controller counts of packets that switches hand to it. No label names a client."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

REASONS: Final = (
    *("reset", "reject", "hold", "admit", "refuse", "wait"),
    *("malformed", "stale", "overflow"),
)


class PuntMeasures:
    """Prometheus metrics that `ryu_apps.punt` updates as it works."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.packets = Counter(
            "prewire_punted_packets_total",
            "Packets that switches handed to the controller, by what became of them: reset (of a "
            "connection whose container is gone), reject and hold (no container), admit, refuse "
            "and wait (caps), malformed, stale (the service is gone), overflow (too many at once).",
            ["reason"],
            registry=registry,
        )
        for reason in REASONS:
            self.packets.labels(reason)
        self.held = Gauge(
            "prewire_held_packets",
            "Packets held for services that have no container yet.",
            registry=registry,
        )
        self.refused = Counter(
            "prewire_connections_refused_total",
            "Connections refused because of a cap.",
            ["service"],
            registry=registry,
        )
        self.admitted = Counter(
            "prewire_connections_admitted_total",
            "Connections admitted under a cap.",
            ["service"],
            registry=registry,
        )

    def forget(self, service: str) -> None:
        """Export nothing more of a service that is gone."""
        for each in (self.refused, self.admitted):
            with suppress(KeyError):  # it never had a connection
                each.remove(service)
