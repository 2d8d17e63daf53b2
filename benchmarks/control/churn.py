"""Ten thousand containers on one real switch that come, change and go, five hundred a second.

Every request is one change of one container (a PUT or a DELETE by its own path, `?wait=applied`),
and is answered when the switch has acknowledged it. `paced`: they are due at a rate, and each one's
time runs from when it is due; `paced 400` tells what a little less than the most comes to. `at
most`: clients that send the next as soon as they have an answer. A third of the changes is another
port of a container, a third takes one away at once, a third is a new container in its service. The
client shares the processors with everything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from benchmarks.control.churn_changes import EACH, SERVICES, Population
from benchmarks.load.churn_load import Client, Loaded
from benchmarks.results.report import Outcome, Row, Target, quantiles
from benchmarks.sites.counters import SWITCH_PID, processor_seconds, resident_mib
from benchmarks.sites.site import Site, running_site
from prewire.commands.credentials import token_for

RATE: Final = 500.0
LESS: Final = 400.0
SECONDS: Final = 30
CONNECTIONS: Final = 256  # so that a change that is due need not wait for one
CLIENTS: Final = 64
_REGISTERING: Final = 16
_WARM: Final = 500  # changes before anything is measured
_MAX_P99_MS: Final = 200.0


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` changes of each kind of load; by default what RATE makes in `seconds`."""
    count = rounds or round(RATE * (seconds or SECONDS))
    with running_site() as site:
        client = Client(site.settings.api_port, token_for(site.settings.api_url, site.settings))
        there = Population(client, [host.name for host in site.net.spec.containers])
        site.api.call("POST", "/v1/apply", there.services())
        size = there.size
        rows: dict[str, Row] = {}
        samples: dict[str, tuple[float, ...]] = {}

        def load(name: str, work: Callable[[], Loaded], changes: int) -> Loaded:
            rows[name], found = _costed(site, work, changes)
            samples[name] = found.each_ms
            return found

        load("register", lambda: client.load(there.registrations(), size, _REGISTERING), size)
        changes: Iterator[bytes] = there.changes()
        client.load(changes, _WARM, CLIENTS)
        fewer = round(count * LESS / RATE)
        load(f"paced {LESS:g}", lambda: client.load(changes, fewer, CONNECTIONS, LESS), fewer)
        paced = load("paced", lambda: client.load(changes, count, CONNECTIONS, RATE), count)
        most = load("at most", lambda: client.load(changes, count, CLIENTS), count)
        memory = ", ".join(f"{name} {mib:.0f}" for name, mib in _memory(site).items())
    targets = (
        Target("changes a second, paced", paced.a_second, 0.98 * RATE, at_least=True),
        Target("changes a second, at most", most.a_second, RATE, at_least=True),
        Target("p99 of a change, paced, ms", rows["paced"]["p99"], _MAX_P99_MS, at_least=False),
    )
    notes = (
        f"{SERVICES} services of {EACH} containers; register: {_REGISTERING} clients, not awaited; "
        f"paced: {RATE:g} a second; at most: {CLIENTS} clients",
        "the other columns: ms of processor time a change, by process",
        f"resident MiB at the end: {memory}",
    )
    title = f"milliseconds from a container's change to the switch's word, {count} of each load"
    return Outcome("churn", title, rows, targets, notes, samples)


def _costed(site: Site, work: Callable[[], Loaded], changes: int) -> tuple[Row, Loaded]:
    before = _seconds(site)
    found = work()
    after = _seconds(site)
    cost = {f"{name} cpu": (after[name] - before[name]) * 1000 / changes for name in after}
    return {"a_second": found.a_second, **quantiles(found.each_ms), **cost}, found


def _pids(site: Site) -> Mapping[str, int]:
    """Of everything that takes part but the client."""
    ours = {child.name: child.process.pid for child in site.children}
    return {**ours, "switch": int(SWITCH_PID.read_text())}


def _seconds(site: Site) -> dict[str, float]:
    own = os.times()
    found = {name: processor_seconds(pid) for name, pid in _pids(site).items()}
    return {**found, "client": own.user + own.system}


def _memory(site: Site) -> dict[str, float]:
    return {name: resident_mib(pid) for name, pid in _pids(site).items()}
