"""What the server measures of watches, for Prometheus.

Must not know: what events say.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from prewire.api.watching.feed import Feed


class WatchMeasures(Collector):
    """How many watch, and what they were told."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """The families, each collection anew."""
        yield GaugeMetricFamily(
            "prewire_watchers", "Clients that watch now", value=len(self._feed.watchers)
        )
        events = CounterMetricFamily(
            "prewire_watch_events",
            "Changes that watchers were told of, each counted once for all of them",
            labels=["kind"],
        )
        for kind, count in sorted(self._feed.told.items()):
            events.add_metric([kind], count)
        yield events
        yield CounterMetricFamily(
            "prewire_watchers_dropped",
            "Watchers that were let go because they did not read what they were sent",
            value=self._feed.dropped,
        )
