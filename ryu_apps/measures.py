"""What the controller measures of itself: messages, errors, and how long programming takes."""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

# From a tenth of a millisecond to ten seconds.
_BUCKETS = (0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Measures:
    """Prometheus metrics that the apps update as they work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each series is doubled
        switch = ["switch"]
        self.build = Gauge(
            "prewire_build_info", "Always 1; labels say what runs.", ["version"], registry=registry
        )
        self.build.labels(_version()).set(1)
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
        self.programming = Histogram(
            "prewire_programming_seconds",
            "Time a change takes, by stage: queued (until the controller takes it up), compile, "
            "switch (from its arrival to the last barrier reply of one switch).",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )

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
