"""A controller's /metrics for switches that are made up: a real HTTP server of Prometheus text.

It stands in only where no switch runs. Counters are read every second, and grow by the demand.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from nib.intent import Container
from nib.qos import Policy
from tests.page import demand, fabric

_UPLINK_BPS: Final = 10_000_000_000


class Counters:
    """Counters that were integrated up to a time, and their page."""

    def __init__(self, count: int, containers: Sequence[Container], policies: Sequence[Policy]):
        self._names = demand.names(count)
        self._policies = policies
        self._containers: dict[str, list[str]] = {name: [] for name in self._names}
        for each in containers:
            self._containers[each.service].append(each.id)
        self._values: dict[str, float] = {}
        self._at = time.time() - 10.0
        self._lock = threading.Lock()
        self.away = False  # answer 503, as a controller that is starting

    def page(self) -> str:
        """The page as it is now."""
        with self._lock:
            now = time.time()
            for line, a_second in self._growing(now):
                self._values[line] = self._values.get(line, 0.0) + a_second * (now - self._at)
            self._at = now
            lines = [f"{series} {value:.0f}" for series, value in self._values.items()]
            return _by_family([*lines, *self._gauges(now)])

    def _growing(self, now: float) -> Iterator[tuple[str, float]]:
        for name in self._names:
            rate = demand.connections_per_s(name, now)
            yield f'prewire_service_new_connections_total{{service="{name}"}}', rate
            for way, share in (("to", 0.4), ("from", 1.6)):
                labels = f'service="{name}",direction="{way}"'
                yield f"prewire_service_bytes_total{{{labels}}}", rate * 9_000 * share
            for each in self._containers[name]:
                labels = f'service="{name}",container="{each}"'
                part = rate / len(self._containers[name])
                yield f"prewire_container_new_connections_total{{{labels}}}", part
                yield f'prewire_container_bytes_total{{{labels},direction="from"}}', part * 14_400
        yield from self._of_links(now)
        yield from self._of_policies(now)

    def _of_links(self, now: float) -> Iterator[tuple[str, float]]:
        for place, ends in enumerate(fabric.links()):
            for way, (switch, port) in enumerate((ends[:2], ends[2:])):
                share = 0.12 + 0.62 * float(demand.inflight(f"link{place}{way}", now)) / 46.0
                at = f'{{switch="{switch}",port="{port}"}}'
                yield f"prewire_port_transmit_bytes_total{at}", share * _UPLINK_BPS / 8
                yield f"prewire_port_receive_bytes_total{at}", share * _UPLINK_BPS / 12
                yield f"prewire_port_transmit_dropped_total{at}", 40.0 if place == 3 else 0.0

    def _of_policies(self, now: float) -> Iterator[tuple[str, float]]:
        for place, each in enumerate(self._policies):
            offered = demand.policy_bps(each.destination or each.name, now) / 8
            passed = min(offered, (each.max_bps or 10**9) / 8)
            at = f'{{policy="{each.name}",switch="{fabric.leaf(place % fabric.LEAVES + 1)}"}}'
            for what, size in (
                ("offered", offered),
                ("passed", passed),
                ("dropped", offered - passed),
            ):
                yield f"prewire_policy_{what}_bytes_total{at}", size
                yield f"prewire_policy_{what}_packets_total{at}", size / 900

    def _gauges(self, now: float) -> Iterator[str]:
        yield "prewire_leader_epoch 4"
        for number in range(1, fabric.LEAVES + 1):
            yield _read_at(fabric.leaf(number), now)
        for number in range(1, fabric.SPINES + 1):
            yield _read_at(fabric.spine(number), now)
        for low, up, high, down in fabric.links():
            for switch, port in ((low, up), (high, down)):
                at = f'{{switch="{switch}",port="{port}"}}'
                yield f"prewire_link_rate_bps{at} {_UPLINK_BPS}"
                yield f"prewire_link_guaranteed_bps{at} {_UPLINK_BPS * 0.18:.0f}"
                yield f"prewire_link_free_bps{at} {_UPLINK_BPS * 0.62:.0f}"
        for policy in self._policies:
            yield f'prewire_policy_state{{policy="{policy.name}",state="active"}} 1'
        for name in self._names:
            there = len(self._containers[name])
            yield f'prewire_service_containers{{service="{name}",state="ready"}} {there}'
            whole = float(demand.inflight(name, now))
            for each in self._containers[name]:
                part = whole / len(self._containers[name])
                labels = f'service="{name}",container="{each}"'
                yield f"prewire_container_inflight{{{labels}}} {part:.0f}"
                yield f'prewire_container_state{{{labels},state="ready"}} 1'


def _by_family(lines: list[str]) -> str:
    """A page: the lines of each family together, under its type."""
    families: dict[str, list[str]] = {}
    for line in lines:
        families.setdefault(re.split(r"[{ ]", line, maxsplit=1)[0], []).append(line)
    parts = []
    for name, found in families.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        parts += [f"# TYPE {name} {kind}", *found]
    return "\n".join([*parts, ""])


def _read_at(switch: str, now: float) -> str:
    return f'prewire_switch_read_timestamp_seconds{{switch="{switch}"}} {now:.3f}'


@contextmanager
def served(counters: Counters) -> Iterator[str]:
    """The URL of the page, while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"" if counters.away else counters.page().encode()
            self.send_response(503 if counters.away else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="counters", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
