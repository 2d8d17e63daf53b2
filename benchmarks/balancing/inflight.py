"""One container five times slower than two others: latency of short requests by policy.

Open-loop requests, at a rate at which an equal share is more than the slow container can take.
Policy `weighted` (equal weights, no limit: round robin) and `least_inflight` take turns, on the
same containers, with the same arrivals and the same reports of in-flight requests every 50 ms.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.load.in_host import open_loop
from benchmarks.load.workers import PORT, Workers, running_workers
from benchmarks.results.report import Outcome, Target, quantiles, ratio
from benchmarks.sites.controlled import VIP
from benchmarks.sites.site import Site, running_site, until

ROUNDS: Final = 3
SECONDS: Final = 10
SEED: Final = 3
SERVICE_MS: Final[Mapping[str, float]] = {"c1": 50.0, "c2": 10.0, "c3": 10.0}
LIMIT: Final = 4
"""Requests that a container works on at once: it can take 80 a second, the others 400 each."""

RATE: Final = 300.0
"""Requests a second: an equal share is 100, which is 1.25 of what the slow container can take."""

MAX_INFLIGHT: Final = 8 * LIMIT
"""Far more than is needed: a container at its limit gets nothing, and a service refuses connections
where all are."""

_POLICIES: Final = ("weighted", "least_inflight")
_DRAINED_SECONDS: Final = 30.0


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About 2 times `rounds` times `seconds`, and the time the slow container needs to recover."""
    count, length = rounds or ROUNDS, seconds or SECONDS
    latencies: dict[str, list[list[float]]] = {policy: [] for policy in _POLICIES}
    failures: dict[str, Counter[str]] = {policy: Counter() for policy in _POLICIES}
    with running_site() as site:
        _set(site, "weighted")  # a report of a container that is not registered is refused
        with running_workers(site, SERVICE_MS, LIMIT) as workers:
            for number in range(count):
                for policy in _POLICIES if number % 2 == 0 else reversed(_POLICIES):
                    _set(site, policy)
                    found, failed = _load(site, length, SEED + number)
                    latencies[policy].append(found)
                    failures[policy].update(failed)
                    _await_drained(workers)
            reports = workers.reports
    notes = (
        f"{reports} in-flight reports; containers: {SERVICE_MS} ms, {LIMIT} requests at once",
        "a failed request counts as 10 s",
        *(f"failed under {policy}: {dict(why)}" for policy, why in failures.items() if why),
    )
    return _outcome(latencies, failures, f"{count} rounds of {length} s", notes)


def _set(site: Site, policy: str) -> None:
    site.set_service(policy="weighted")
    limits = {"max_inflight": MAX_INFLIGHT} if policy == "least_inflight" else {}
    for name in SERVICE_MS:
        site.set_container(name, PORT, **limits)
    if policy != "weighted":
        site.set_service(policy=policy)


def _load(site: Site, seconds: int, seed: int) -> tuple[list[float], dict[str, int]]:
    argv = [sys.executable, open_loop.__file__, VIP, "80", str(RATE), str(seconds), str(seed)]
    done = site.net.run("client", argv, timeout_s=seconds + 60)
    if done.returncode:
        raise BenchmarkFailed(f"the open-loop client failed: {done.stderr.strip()[-300:]}")
    result = json.loads(done.stdout)
    return result["latencies_ms"], result["failures"]


def _await_drained(workers: Workers) -> None:
    def nothing_in_hand() -> bool:
        if workers.failure is not None:
            raise workers.failure
        return not any(workers.inflight.values())

    until(nothing_in_hand, "the containers have answered all requests", _DRAINED_SECONDS)


def _outcome(
    latencies: Mapping[str, list[list[float]]],
    failures: Mapping[str, Counter[str]],
    length: str,
    notes: tuple[str, ...],
) -> Outcome:
    p99 = {
        policy: [quantiles(found)["p99"] for found in rounds]
        for policy, rounds in latencies.items()
    }
    rows = {
        policy: {
            "p50": median(quantiles(found)["p50"] for found in rounds),
            "p99": median(p99[policy]),
            "p99 least": min(p99[policy]),
            "p99 greatest": max(p99[policy]),
            "requests": sum(map(len, rounds)),
            "failed": failures[policy].total(),
        }
        for policy, rounds in latencies.items()
    }
    target = Target(
        "p99, least_inflight / weighted",
        ratio(p99["least_inflight"], p99["weighted"]),
        0.5,
        at_least=False,
    )
    title = f"latency in ms at {RATE:g} requests/s, {length} each, medians over rounds"
    return Outcome("inflight", title, rows, (target,), notes, p99)
