"""Closed-loop HTTP load by wrk, from a host of the network.

Each connection sends when it has its answer: the rate is what the subject can, and a quantile of
latency is of requests at that rate. While an answer is late its connection sends nothing, so wrk
counts fewer slow requests than steady arrivals would meet (coordinated omission), and subjects meet
unequal rates; `paced` offers all the same rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.counters import switch_seconds
from topologies.hosts import Hosts

CONNECTIONS: Final = 32
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_ERRORS: Final = re.compile(r"Socket errors: (.*)|Non-2xx or 3xx responses: (\d+)")
_P99: Final = re.compile(r"99%\s+([\d.]+)(us|ms|s)\b")
_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """requests_s: requests a second; errors: socket errors, timeouts and other answers than 2xx.

    switch_us: processor time of ovs-vswitchd for each request, in microseconds.
    """

    requests_s: float
    p99_ms: float
    errors: int
    switch_us: float = 0.0


def command(url: str, seconds: int, *, new_connections: bool) -> list[str]:
    """One thread, 32 connections; each request on a connection of its own, or keep-alive."""
    header = ["-H", "Connection: close"] if new_connections else []
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *header, url]


def load(
    net: Hosts,
    url: str,
    seconds: int,
    *,
    new_connections: bool,
    switch_seconds: Callable[[], float] = switch_seconds,
) -> Load:
    """Load the URL from the client host. BenchmarkFailed where wrk fails.

    switch_seconds: the switch's processor time so far.
    """
    argv = command(url, seconds, new_connections=new_connections)
    before = switch_seconds()
    done = net.run("client", argv, timeout_s=seconds + 30)
    took_s = switch_seconds() - before
    if done.returncode:
        raise BenchmarkFailed(f"wrk {url}: {done.stderr.strip() or done.stdout.strip()}")
    found = parse(done.stdout)
    return replace(found, switch_us=1e6 * took_s / max(1.0, found.requests_s * seconds))


def parse(text: str) -> Load:
    """wrk's own report. BenchmarkFailed where it is none."""
    rate, p99 = _RATE.search(text), _P99.search(text)
    if rate is None or p99 is None:
        raise BenchmarkFailed(f"wrk printed no rate: {text!r}")
    found = _ERRORS.findall(text)
    errors = sum(int(number) for pair in found for number in re.findall(r"\d+", " ".join(pair)))
    return Load(float(rate[1]), float(p99[1]) * _MS[p99[2]], errors)
