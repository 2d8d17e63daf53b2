"""What the REST server measures of itself, for Prometheus.

Owns: its metrics, and the layer around the application that times requests.
Must not know: what a request does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_lb.reports import RESULTS, ReportDesk
from nib.request_ids import REQUEST

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_NO_ROUTE: Final = "none"


class ApiMeasures:
    """The metrics of one server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.request_seconds = Histogram(
            "prewire_http_request_duration_seconds",
            "Time from a request to the end of its answer",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )


def page(registry: CollectorRegistry, accept: str) -> Response:
    """The metrics in the form that is asked for; only OpenMetrics has exemplars, the ids of
    requests."""
    encode, content_type = choose_encoder(accept)
    return Response(encode(registry), media_type=content_type)


class ReportMeasures(Collector):
    """What became of reports, as counted where they are taken."""

    def __init__(self, desk: ReportDesk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """The families, each collection anew."""
        reports = CounterMetricFamily(
            "prewire_reports", "Reports of containers by what became of them", labels=["result"]
        )
        for result in RESULTS:
            reports.add_metric([result], self._desk.inbox.counts[result])
        yield reports
        yield CounterMetricFamily(
            "prewire_report_writes",
            "Transactions that wrote reports, at most one a tick",
            value=self._desk.writes,
        )


class Timed:
    """The application, timed: by method, route and class of status."""

    def __init__(self, app: ASGIApp, measures: ApiMeasures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", _NO_ROUTE)
            method = scope["method"] if route != _NO_ROUTE else _NO_ROUTE
            if "prewire.stream" not in scope:  # a watch ends when its client likes
                self._measures.request_seconds.labels(method, route, f"{status // 100}xx").observe(
                    time.perf_counter() - began, {"request_id": REQUEST.get()}
                )
