"""What a restart costs with a thousand services: of the switch, and of the controller.

A switch comes back empty and is programmed; how long that takes counts from its connection. A
controller comes back to a switch that holds everything; how many messages it changes rules with is
counted, and should be none.
"""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks.results.report import Outcome, Target
from benchmarks.sites.counters import metric
from benchmarks.sites.site import Site, running_site, until
from benchmarks.sites.whole import api_of
from topologies.processes import run

SERVICES: Final = 1000
ROUNDS: Final = 5
_MOST_SECONDS: Final = 2.0
_SETTLED_SECONDS: Final = 120.0
_WRITERS: Final = 8


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` restarts of the switch, and one of the controller; `seconds` has no meaning here."""
    del seconds
    with running_site() as site:
        _register(site)
        flows = _flows(site)
        ready = [_restarted_switch(site) for _ in range(rounds or ROUNDS)]
        changed = _restarted_controller(site)
    rows = {
        "switch, seconds to ready": {
            "median": statistics.median(ready),
            "least": min(ready),
            "most": max(ready),
        },
        "controller, rule messages": {"median": changed, "least": changed, "most": changed},
    }
    targets = (
        Target("median seconds to ready", statistics.median(ready), _MOST_SECONDS, at_least=False),
        Target("rule messages after a restart", changed, 0, at_least=False),
    )
    title = f"restarts with {SERVICES} services of 2 containers, {flows} flows"
    return Outcome("restart", title, rows, targets, samples={"ready": ready})


def _register(site: Site) -> None:
    hosts = site.net.spec.containers[:2]

    def register(worker: int) -> None:
        api = api_of(site.settings)
        for number in range(worker, SERVICES, _WRITERS):
            vip = f"10.0.{10 + number // 200}.{1 + number % 200}"
            api.call("PUT", f"/v1/services/s{number}", {"vip": vip, "port": 80})
            for subnet, host in enumerate(hosts, start=200):
                path = f"/v1/services/s{number}/containers/{host.name}"
                address = f"10.{subnet}.{number // 200}.{1 + number % 200}"
                api.call("PUT", path, {"address": address, "port": 8080, "iface_id": host.name})
        api.close()

    with ThreadPoolExecutor(_WRITERS) as pool:
        for done in [pool.submit(register, worker) for worker in range(_WRITERS)]:
            done.result()
    _settle(site)


def _flows(site: Site) -> int:
    told = run(["ovs-ofctl", "-O", "OpenFlow13", "dump-aggregate", site.bridge])
    return int(told.rpartition("flow_count=")[2])


def _settle(site: Site) -> None:
    def settled() -> bool:
        status = site.api.call("GET", "/v1/status")
        return all(each["connected"] for each in status["switches"]) and not status["behind"]

    until(settled, "the switch holds everything", _SETTLED_SECONDS)


def _restarted_switch(site: Site) -> float:
    """Seconds from the switch's connection until it holds everything."""
    name = site.net.spec.switches[0].name
    site.net.fabric.restart(name)
    until(lambda: not _connected(site), "the switch is gone", _SETTLED_SECONDS, 0.005)
    _settle(site)
    return metric(site.metrics(), "prewire_switch_ready_seconds")


def _connected(site: Site) -> bool:
    return all(each["connected"] for each in site.api.call("GET", "/v1/status")["switches"])


def _restarted_controller(site: Site) -> float:
    """How many messages that change rules a new controller sends."""
    site.restart_controller()
    _settle(site)
    return metric(site.metrics(), "prewire_switch_rule_messages_total")
