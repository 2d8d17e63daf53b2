"""A hundred switches under one controller: what a change to one service tells which of them.

The switches are simulated (`benchmarks.responder`); their connections, and all of prewire, are
real. A row is one kind of change, made so many times: how many switches received any flow, group or
meter of it, and how many messages of each kind all of them together, a change. Every switch has
clients, so what changes a service for all clients is told to every switch; a service with locality
is told where its own containers change.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.api import Api
from benchmarks.counters import processor_seconds, resident_mib
from benchmarks.report import Outcome, Row, Target
from benchmarks.responder import SimulatedSwitch, connected
from benchmarks.site import until
from prewire import settings, up
from prewire.commands.credentials import token_for
from prewire.ports import free_port
from prewire.processes import Child
from prewire.settings import Settings

SWITCHES: Final = 100
SERVICES: Final = 20
EACH: Final = 10  # containers of a service, each behind another switch
NEAR: Final = 2  # containers of the local service behind every switch
ROUNDS: Final = 10
_READY_SECONDS: Final = 300.0
_LOG_SHOWN: Final = 3000  # characters
_RULES: Final = ("flow-mod", "group-mod", "meter-mod")
_LOCAL: Final = "/v1/services/local"
_WAIT: Final = "?wait=applied&timeout=300"


@dataclass(frozen=True, slots=True)
class World:
    """The switches, and who controls them."""

    switches: Sequence[SimulatedSwitch]
    api: Api
    children: Sequence[Child]

    def put(self, path: str, body: Any) -> None:
        """Have it, on every switch."""
        self.api.call("PUT", path + _WAIT, body)

    def counts(self) -> dict[str, Counter[str]]:
        """Messages received, by switch and kind."""
        return {switch.dpid: switch.counts.copy() for switch in self.switches}

    def container(self, number: int, **fields: Any) -> dict[str, Any]:
        """What a container registers with, behind the switch that its number says."""
        switch = self.switches[number % len(self.switches)]
        address = f"10.70.{number // 250}.{1 + number % 250}"
        mac = f"02:06:00:00:{number >> 8:02x}:{number & 255:02x}"
        place = {"switch": switch.dpid, "switch_port": "p1"}
        return {"address": address, "port": 8080, "mac": mac, **place, **fields}


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` of each kind of change; `seconds` has no meaning here."""
    del seconds
    times = rounds or ROUNDS
    with running_world(SWITCHES) as (world, joined_s):
        began = time.monotonic()
        _register(world)
        registered_s = time.monotonic() - began
        rows = _measured(world, times)
        memory = ", ".join(f"{c.name} {resident_mib(c.process.pid):.0f}" for c in world.children)
        flows, groups = map(statistics.median, zip(*(s.held for s in world.switches), strict=True))
    targets = (
        Target("switches told of a local change", rows["local: weight"]["switches"], 1, False),
        Target("switches told of a renewed lease", rows["lease renewed"]["switches"], 0, False),
    )
    notes = (
        f"{SWITCHES} switches under control within {joined_s:.1f} s; {SERVICES} services of {EACH} "
        f"containers, one with {NEAR} behind every switch, registered within {registered_s:.1f} s",
        f"a switch holds {flows:.0f} flows and {groups:.0f} groups; resident MiB: {memory}",
        "ms: from the request until every switch has acknowledged; cpu: ms of the controller's "
        "processor time a change",
    )
    title = f"messages to {SWITCHES} switches for a change, mean of {times} changes"
    return Outcome("switches", title, rows, targets, notes)


@contextmanager
def running_world(count: int, ports: int = 2) -> Iterator[tuple[World, float]]:
    """All of prewire with so many simulated switches under control, and how many seconds that took.

    NibError, CommandFailed or BenchmarkFailed where something does not start.
    """
    with tempfile.TemporaryDirectory(prefix="prewire-bench-", dir="/tmp") as directory:
        given = settings.load(
            state_dir=Path(directory),
            nib="",
            log_level="warning",
            api_port=free_port(8686),
            controller_port=free_port(6653),
            metrics_port=free_port(9686),
            predictor_port=0,
        )
        switches = [SimulatedSwitch(number, ports) for number in range(1, count + 1)]
        with _controlled(given, Path(directory)) as (api, children):
            began = time.monotonic()
            with connected(switches, given.controller_port):
                until(lambda: _are_usable(api, count), "switches under control", _READY_SECONDS)
                yield World(switches, api, children), time.monotonic() - began


@contextmanager
def _controlled(given: Settings, directory: Path) -> Iterator[tuple[Api, list[Child]]]:
    log = directory / "log"
    with up.running(given, log) as children:
        api = Api(given.api_port, token_for(given.api_url, given), _READY_SECONDS)
        try:
            yield api, children
        except Exception:
            print(log.read_text()[-_LOG_SHOWN:], end="", file=sys.stderr)
            raise
        finally:
            api.close()


def _are_usable(api: Api, count: int) -> bool:
    page = api.call("GET", "/v1/switches?limit=1000")["items"]
    return sum(bool(each["connected"] and each["ports"]) for each in page) == count


def _register(world: World) -> None:
    """The services, the last change of them applied everywhere."""
    services = [{"name": "local", "vip": "10.60.1.1", "port": 80, "locality": "prefer"}]
    services += [
        {"name": f"s{number}", "vip": f"10.60.0.{1 + number}", "port": 80}
        for number in range(SERVICES)
    ]
    world.api.call("POST", "/v1/apply", {"services": services})
    for number in range(SERVICES * EACH):
        path = f"/v1/services/s{number % SERVICES}/containers/c{number}"
        world.api.call("PUT", path, world.container(number))
    for number in range(NEAR * len(world.switches)):
        world.api.call("PUT", f"{_LOCAL}/containers/n{number}", _near(world, number))
    world.put("/v1/services/s0/containers/c0", world.container(0, lease_seconds=3600))


def _near(world: World, number: int, **fields: Any) -> dict[str, Any]:
    """A container of the local service."""
    return world.container(SERVICES * EACH + number, **fields)


def _measured(world: World, times: int) -> dict[str, Row]:
    """Each kind of change, on a container of its own every time."""
    one, beyond = "/v1/services/s1/containers/c1", 10_000
    port = 9000 + times
    kinds: dict[str, list[tuple[str, str, Any]]] = {
        "port of a container": [
            ("PUT", one + _WAIT, world.container(1, port=9001 + turn)) for turn in range(times)
        ],
        "weight of a container": [
            ("PUT", one + _WAIT, world.container(1, port=port, weight=2 + turn))
            for turn in range(times)
        ],
        "a container comes": [
            (
                "PUT",
                f"/v1/services/s2/containers/new{turn}{_WAIT}",
                world.container(beyond + turn),
            )
            for turn in range(times)
        ],
        "a container goes": [
            ("DELETE", f"/v1/services/s2/containers/new{turn}{_WAIT}&drain=0", None)
            for turn in range(times)
        ],
        "nothing is new": [("PUT", one + _WAIT, world.container(1, port=port, weight=1 + times))]
        * times,
        "lease renewed": [("POST", "/v1/services/s0/containers/c0/renew", None)] * times,
        "local: weight": [
            ("PUT", f"{_LOCAL}/containers/n{turn}{_WAIT}", _near(world, turn, weight=3))
            for turn in range(times)
        ],
    }
    return {kind: _told(world, requests) for kind, requests in kinds.items()}


def _told(world: World, requests: Sequence[tuple[str, str, Any]]) -> Row:
    """What the switches received, a change."""
    controller = next(child for child in world.children if child.name == "controller")
    took, told, received = [], [], Counter[str]()
    before_s = processor_seconds(controller.process.pid)
    for method, path, body in requests:
        before = world.counts()
        began = time.perf_counter()
        world.api.call(method, path, body)
        took.append((time.perf_counter() - began) * 1000)
        news = {dpid: counts - before[dpid] for dpid, counts in world.counts().items()}
        told.append(sum(any(new[kind] for kind in _RULES) for new in news.values()))
        received += sum(news.values(), Counter())
    spent_s = processor_seconds(controller.process.pid) - before_s
    return {
        "switches": statistics.mean(told),
        **{kind: received[kind] / len(requests) for kind in (*_RULES, "barrier")},
        "ms": statistics.median(took),
        "cpu": spent_s * 1000 / len(requests),
    }
