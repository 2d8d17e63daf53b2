"""A hundred switches under one controller: what a change to one service tells which of them.

The switches are simulated; their connections, and all of prewire, are real. A row is one kind of
change, made so many times: how many switches received any flow, group or meter of it, and how many
messages of each kind all of them together, a change.

Three kinds of services. Clients anywhere: every switch may have to balance it, so every switch is
told of a change. Clients behind one switch (`switches` of the service): that one is told. Locality:
a switch balances by the containers behind it, so the one where they change is told. A container at
a new address is a station, which every switch has to know. Most have an address that they share
with others, each by its port.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.results.report import Outcome, Row, Target
from benchmarks.sites.counters import processor_seconds, resident_mib
from benchmarks.sites.simulated import World, running_world, service

SWITCHES: Final = 100
EVERYWHERE: Final = 10  # services with clients anywhere
SCOPED: Final = 970  # services with clients behind one switch
EACH: Final = 10  # containers of a service
NEAR: Final = 2  # containers of the service with locality behind every switch
PORTS_EACH: Final = 10  # containers of an address
ROUNDS: Final = 10

_RULES: Final = ("flow-mod", "group-mod", "meter-mod")
_LOCAL: Final = "/v1/services/local"
_WAIT: Final = "?wait=applied&timeout=300"
_REST_SECONDS: Final = 65.0  # an audit of every switch, and a dozen readings of its counters

Request = tuple[str, str, Any]


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` of each kind of change; `seconds`: how long to look at what goes on without any."""
    times = rounds or ROUNDS
    with running_world(SWITCHES, PORTS_EACH) as (world, joined_s):
        began = time.monotonic()
        containers = _register(world)
        registered_s = time.monotonic() - began
        rows = {kind: _told(world, requests) for kind, requests in _changes(world, times).items()}
        at_rest = _at_rest(world, seconds or _REST_SECONDS)
        memory = ", ".join(
            f"{c.name} {resident_mib(c.process.pid):.0f}" for c in world.whole.children
        )
        flows, groups = map(statistics.median, zip(*(s.held for s in world.switches), strict=True))
    notes = (
        f"{SWITCHES} switches under control within {joined_s:.1f} s; {EVERYWHERE} services with "
        f"clients anywhere and {SCOPED} with clients behind one switch, of {EACH} containers, and "
        f"one with locality: {containers:,} containers within {registered_s:.0f} s",
        f"a switch holds {flows:,.0f} flows and {groups:.0f} groups; resident MiB: {memory}",
        at_rest,
        "ms: from the request until every switch concerned has acknowledged; cpu: ms of the "
        "controller's processor time a change",
    )
    title = f"messages to {SWITCHES} switches for a change, mean of {times} changes"
    return Outcome("switches", title, rows, _targets(rows), notes)


def _targets(rows: dict[str, Row]) -> tuple[Target, ...]:
    alone = [kind for kind in rows if kind.startswith(("one switch:", "local:"))]
    most = max(rows[kind]["switches"] for kind in alone)
    return (
        Target("switches told of a change that concerns one", most, 1, False),
        Target("switches told of a renewed lease", rows["lease renewed"]["switches"], 0, False),
        Target("switches told of what is not new", rows["nothing is new"]["switches"], 0, False),
    )


def _register(world: World) -> int:
    """All services and containers, known to all switches concerned: how many containers."""
    dpids = [switch.dpid for switch in world.switches]
    scoped = range(EVERYWHERE, EVERYWHERE + SCOPED)
    world.grow([service(number) for number in range(EVERYWHERE)], EACH)
    world.grow([service(number, switches=(dpids[number % len(dpids)],)) for number in scoped], EACH)
    local = {"name": "local", "vip": "10.49.1.1", "port": 80, "locality": "prefer"}
    world.whole.api.call("POST", "/v1/apply", {"services": [local]})
    near = range(NEAR * len(dpids))
    for number in near:
        place = f"{_LOCAL}/containers/n{number}"
        world.whole.api.call("PUT", place, _near(world, number))
    leased = world.container(0, lease_seconds=3600)
    world.whole.api.call("PUT", f"{_of(0)}/c0{_WAIT}", leased)
    return (EVERYWHERE + SCOPED) * EACH + len(near)


def _of(number: int) -> str:
    """Where the containers of a service are."""
    return f"/v1/services/s{number}/containers"


def _near(world: World, number: int, **fields: Any) -> dict[str, Any]:
    """A container of the service with locality, at an address of its own."""
    return _new(world, number, **fields)


def _new(world: World, number: int, **fields: Any) -> dict[str, Any]:
    """A container at an address that no container of the services has."""
    station = (EVERYWHERE + SCOPED) * EACH // PORTS_EACH + 1 + number
    return world.container(station * PORTS_EACH, **fields)


def _changes(world: World, times: int) -> dict[str, list[Request]]:
    """The requests, by kind of change; a turn's is not that of the turn before."""
    anywhere, alone = 1, EVERYWHERE + 1
    kinds: dict[str, list[Request]] = {}
    for name, number in (("every switch", anywhere), ("one switch", alone)):
        kinds |= _of_one(world, name, number, times)
    same = world.container(anywhere * EACH, weight=1 + times)
    place = f"{_of(anywhere)}/c{anywhere * EACH}{_WAIT}"
    return kinds | {
        "local: weight": [
            ("PUT", f"{_LOCAL}/containers/n{turn}{_WAIT}", _near(world, turn, weight=3))
            for turn in range(times)
        ],
        "nothing is new": [("PUT", place, same)] * times,
        "lease renewed": [("POST", f"{_of(0)}/c0/renew", None)] * times,
        "a new address": [
            ("PUT", f"{_of(alone)}/far{turn}{_WAIT}", _new(world, 1000 + turn))
            for turn in range(times)
        ],
    }


def _of_one(world: World, name: str, number: int, times: int) -> dict[str, list[Request]]:
    """What becomes of one service's containers: one has another weight, one is elsewhere, some come
    at addresses that are known, and go."""
    first = number * EACH
    last = first + EACH - 1
    containers = _of(number)
    return {
        f"{name}: weight": [
            ("PUT", f"{containers}/c{first}{_WAIT}", world.container(first, weight=2 + turn))
            for turn in range(times)
        ],
        f"{name}: port": [
            ("PUT", f"{containers}/c{last}{_WAIT}", world.container(last, port=9001 + turn))
            for turn in range(times)
        ],
        f"{name}: comes": [
            ("PUT", f"{containers}/new{turn}{_WAIT}", world.container(first, port=9100 + turn))
            for turn in range(times)
        ],
        f"{name}: goes": [
            ("DELETE", f"{containers}/new{turn}{_WAIT}&drain=0", None) for turn in range(times)
        ],
    }


def _told(world: World, requests: Sequence[Request]) -> Row:
    """What the switches received, a change."""
    took, told, received = [], [], Counter[str]()
    controller = world.whole.pid("controller")
    before_s = processor_seconds(controller)
    for method, path, body in requests:
        before = world.counts()
        began = time.perf_counter()
        world.whole.api.call(method, path, body)
        took.append((time.perf_counter() - began) * 1000)
        news = {dpid: counts - before[dpid] for dpid, counts in world.counts().items()}
        told.append(sum(any(new[kind] for kind in _RULES) for new in news.values()))
        received += sum(news.values(), Counter())
    spent_s = processor_seconds(controller) - before_s
    return {
        "switches": statistics.mean(told),
        **{kind: received[kind] / len(requests) for kind in (*_RULES, "barrier")},
        "ms": statistics.median(took),
        "cpu": spent_s * 1000 / len(requests),
    }


def _at_rest(world: World, seconds: float) -> str:
    """What goes on while nobody changes anything, a switch and second."""
    controller, switches = world.whole.pid("controller"), len(world.switches)
    before, spent = sum(world.counts().values(), Counter()), processor_seconds(controller)
    bytes_before = sum(switch.received + switch.answered for switch in world.switches)
    time.sleep(seconds)
    news = sum(world.counts().values(), Counter()) - before
    passed = sum(switch.received + switch.answered for switch in world.switches) - bytes_before
    share = 100 * (processor_seconds(controller) - spent) / seconds
    kinds = ", ".join(f"{kind} {n / seconds / switches:.2g}" for kind, n in sorted(news.items()))
    return (
        f"at rest, a switch and second: {kinds}; {passed / 1024 / seconds / switches:.1f} KiB; "
        f"the controller takes {share:.0f} % of a processor for all"
    )
