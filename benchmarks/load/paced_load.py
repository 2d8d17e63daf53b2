"""An open loop of keep-alive requests from the client host, at one rate for every subject.

wrk's loops are closed: a connection that waits for a late answer sends nothing meanwhile, so the
requests that would have waited too are missing from its quantiles (coordinated omission), and a
slower subject is offered less. Here the rate is given and latency counts from when a request was
due. The client is Python and shares the machine: hence a rate that it holds with ease.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.errors import BenchmarkFailed
from benchmarks.load.in_host import paced
from benchmarks.load.wrk import CONNECTIONS, Load
from benchmarks.results.report import quantiles
from topologies.hosts import Hosts

GREATEST: Final = 4000.0
"""Requests a second, for which the client itself takes less than a third of a core."""


def rate_below(slowest: float) -> float:
    """What every subject is offered, in requests a second: half of what the slowest can."""
    return min(GREATEST, slowest / 2)


@dataclass(frozen=True, slots=True)
class Offer:
    """Requests a second, for how many seconds, and the seed of when each is due."""

    rate: float
    seconds: int
    seed: int


def load(net: Hosts, url: str, offer: Offer, switch_seconds: Callable[[], float]) -> Load:
    """Make the offer to the URL. BenchmarkFailed where the client fails.

    switch_seconds: the switch's processor time so far.
    """
    there, seconds = urlsplit(url), offer.seconds
    given = [there.hostname or "", there.port or 80, CONNECTIONS, offer.rate, seconds, offer.seed]
    argv = [sys.executable, str(Path(paced.__file__)), *map(str, given)]
    before = switch_seconds()
    try:
        done = net.run("client", argv, timeout_s=seconds + 60)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkFailed(f"paced {url}: does not end") from error
    took_s = switch_seconds() - before
    if done.returncode:
        raise BenchmarkFailed(f"paced {url}: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    latencies, failures = found["latencies_ms"], sum(found["failures"].values())
    answered = len(latencies) - failures
    switch_us = 1e6 * took_s / max(1, answered)
    return Load(answered / seconds, quantiles(latencies)["p99"], failures, switch_us)
