"""What a predictor measures of itself, for Prometheus.

Must not know: forecasts, plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_TICK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0)
_TIME_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class StreamCounts(Protocol):
    """Of a gRPC server."""

    subscribers: int
    dropped: int


class PredictorMeasures:
    """The metrics of one predictor."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._begin_ticks(registry)
        self._begin_models(registry)
        self._begin_plans(registry)
        self._begin_requests(registry)
        self._begin_streams(registry)
        self.sample_age_seconds.set(float("nan"))
        self.model_age_seconds.set(float("nan"))
        self.ready_in_time_ratio.set(float("nan"))
        self.forecast_error_ratio.set(float("nan"))

    def _begin_ticks(self, registry: CollectorRegistry) -> None:
        self.tick_seconds = Histogram(
            "prewire_predictor_tick_seconds",
            "Time that a tick took, by its part",
            ("part",),
            buckets=_TICK_BUCKETS,
            registry=registry,
        )
        self.tick_failures = Counter(
            "prewire_predictor_tick_failures",
            "Ticks that failed, and left plans as they were",
            registry=registry,
        )
        self.series = Gauge(
            "prewire_predictor_series",
            "Services and policies with samples",
            ("kind",),
            registry=registry,
        )
        self.shards = Gauge(
            "prewire_predictor_shards", "Shards that this predictor has", registry=registry
        )
        self.sample_age_seconds = Gauge(
            "prewire_predictor_sample_age_seconds",
            "Age of the youngest samples; NaN before the first",
            registry=registry,
        )
        self.scrapes = Counter(
            "prewire_predictor_scrapes", "Scrapes by their outcome", ("outcome",), registry=registry
        )

    def _begin_models(self, registry: CollectorRegistry) -> None:
        self.stale_plans = Gauge(
            "prewire_predictor_stale_plans",
            "Plans that stay as they were because metrics are missing",
            ("kind",),
            registry=registry,
        )
        self.model_age_seconds = Gauge(
            "prewire_predictor_model_age_seconds",
            "Age of the global model; NaN while there is none",
            registry=registry,
        )
        self.refits = Counter(
            "prewire_predictor_refits",
            "Refits of the global model by their outcome",
            ("outcome",),
            registry=registry,
        )
        self.forecast_error_ratio = Gauge(
            "prewire_forecast_error_ratio",
            "Sum of absolute errors of the median forecast a minute ahead, over the sum of loads; "
            "of about the last hour",
            registry=registry,
        )
        self.forecast_coverage_ratio = Gauge(
            "prewire_forecast_coverage_ratio",
            "Part of the loads that were at most the forecast quantile; of about the last hour",
            ("forecast_quantile",),
            registry=registry,
        )

    def _begin_plans(self, registry: CollectorRegistry) -> None:
        self.forecast_demand = Gauge(
            "prewire_forecast_demand",
            "Concurrent requests of the service to be ready for within its lead time",
            ("service",),
            registry=registry,
        )
        self.planned_containers = Gauge(
            "prewire_planned_containers",
            "Containers that the service is to have",
            ("service",),
            registry=registry,
        )
        self.planned_rate_bps = Gauge(
            "prewire_planned_rate_bps",
            "Rate that the policy is to have",
            ("policy", "rate"),
            registry=registry,
        )
        self.lead_seconds = Gauge(
            "prewire_lead_seconds",
            "Lead time of the service: cold start, programming, a tick",
            ("service",),
            registry=registry,
        )
        self.decisions = Counter(
            "prewire_plan_changes",
            "Plans made or changed, by kind and what decided",
            ("kind", "source"),
            registry=registry,
        )

    def _begin_requests(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "prewire_prewarm_requests",
            "Prewarm requests by what became of them",
            ("state",),
            registry=registry,
        )
        self.readiness_seconds = Histogram(
            "prewire_prewarm_readiness_seconds",
            "Time from a prewarm request to its containers' readiness",
            buckets=_TIME_BUCKETS,
            registry=registry,
        )
        self.in_time = Counter(
            "prewire_prewarm_in_time",
            "Prewarm requests that were ready when the forecast needed them, or were not",
            ("in_time",),
            registry=registry,
        )
        self.ready_in_time_ratio = Gauge(
            "prewire_prewarm_ready_in_time_ratio",
            "Part of the last 100 ended prewarm requests that were ready in time; NaN before one",
            registry=registry,
        )
        self.dependencies = Gauge(
            "prewire_dependencies", "Dependencies between services", ("source",), registry=registry
        )

    def _begin_streams(self, registry: CollectorRegistry) -> None:
        self.subscribers = Gauge(
            "prewire_predictor_subscribers", "Open gRPC streams", registry=registry
        )
        self.dropped = Gauge(
            "prewire_predictor_subscribers_dropped",
            "gRPC streams that were ended because nobody read them",
            registry=registry,
        )

    def forget_services(self, names: Iterable[str]) -> None:
        """They are gone, or another predictor minds them."""
        for name in names:
            for gauge in (self.forecast_demand, self.planned_containers, self.lead_seconds):
                with suppress(KeyError):  # it had none
                    gauge.remove(name)

    def forget_policies(self, names: Iterable[str]) -> None:
        """Likewise."""
        for name in names:
            for rate in ("max", "guaranteed"):
                self.planned_rate(name, rate, None)

    def planned_rate(self, policy: str, rate: str, bps: int | None) -> None:
        """What a policy is to have; rate: "max" or "guaranteed", None = as the policy says."""
        if bps is not None:
            self.planned_rate_bps.labels(policy, rate).set(bps)
            return
        with suppress(KeyError):  # it had none
            self.planned_rate_bps.remove(policy, rate)

    def follow(self, counts: Callable[[], StreamCounts]) -> None:
        """Read the streams' figures from there."""
        self.subscribers.set_function(lambda: counts().subscribers)
        self.dropped.set_function(lambda: counts().dropped)
