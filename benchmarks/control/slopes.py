"""What switches, services and containers cost a controller and its database, as slopes.

Worlds of several sizes, on simulated switches: with every service known to every switch, which is
the dearest way, and counted rather than timed. Least squares over (1, switches, services,
containers, switches x services, switches x containers) give what each adds; `off` is the greatest
distance of a figure from that, as a part of the figure: what is far off must not be extrapolated.
`benchmarks.results.on_paper` does that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from benchmarks.results.report import Outcome, Row
from benchmarks.sites.counters import processor_seconds, resident_mib
from benchmarks.sites.simulated import World, running_world, service

WORLDS: Final = (
    (1, 50, 2), (1, 50, 10), (1, 200, 2), (10, 50, 2), (10, 50, 10), (10, 100, 2), (30, 25, 2),
    (30, 25, 10),
)  # fmt: skip
"""Switches, services, and containers of each."""
TERMS: Final = (
    "fixed",
    "a switch",
    "a service",
    "a container",
    "a service, a switch",
    "a container, a switch",
)
CHANGES: Final = 10
REST_SECONDS: Final = 65.0  # an audit of every switch, and a dozen readings of its counters

_WAIT: Final = "?wait=applied&timeout=300"
_FIRST: Final = "/v1/services/s0/containers"
_RULES: Final = ("flow-mod", "group-mod", "meter-mod")
_KIB: Final = 1024
_NOTHING: Final = 1e-4  # of the greatest figure: what adds less than that adds nothing

Size = tuple[int, int, int]


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` changes in every world, and `seconds` of rest."""
    found = {size: _world(size, rounds or CHANGES, seconds or REST_SECONDS) for size in WORLDS}
    rows: dict[str, Row] = {
        f"{switches} x {services} x {each}": found[switches, services, each]
        for switches, services, each in WORLDS
    }
    names = list(found[WORLDS[0]])
    planes = {
        name: slopes({size: row[name] for size, row in found.items()}, crossed=_is_crossed(name))
        for name in names
    }
    for at, term in enumerate(TERMS):
        rows[term] = {name: planes[name][0][at] for name in names}
    rows["off, %"] = {name: 100 * planes[name][1] for name in names}
    return Outcome(
        "slopes",
        "switches x services x containers of each; what each of them adds",
        rows,
        notes=("program: until all is applied, from nothing; rest: nobody changes anything",),
    )


def _is_crossed(name: str) -> bool:
    """Whether a figure may grow with switches times services; the database and the REST server hold
    nothing of a service for each switch."""
    return not any(each in name for each in ("nib", "api", "database"))


def slopes(heights: Mapping[Size, float], *, crossed: bool = True) -> tuple[list[float], float]:
    """The factors of the TERMS, none below 0 unless it is the fixed one, and how far the figure
    that is farthest off is off, as a part of the greatest figure. crossed: False makes the last two
    TERMS 0."""
    from scipy.optimize import lsq_linear  # noqa: PLC0415 - slow to import

    count = len(TERMS) if crossed else len(TERMS) - 2
    sizes = np.array([_terms(*size)[:count] for size in heights])
    measured = np.array(list(heights.values()))
    least = [-np.inf] + [0.0] * (count - 1)
    scale, greatest = sizes.max(axis=0), max(float(measured.max()), 1e-9)
    heads = lsq_linear(sizes / scale, measured, (least, np.inf)).x
    factors = np.where(np.abs(heads) < _NOTHING * greatest, 0.0, heads / scale)
    off = np.abs(sizes @ factors - measured).max() / greatest
    return [float(factor) for factor in factors] + [0.0] * (len(TERMS) - count), float(off)


def _terms(switches: int, services: int, each: int) -> list[float]:
    containers = services * each
    return [1.0, switches, services, containers, switches * services, switches * containers]


def _world(size: Size, changes: int, rest_s: float) -> Row:
    switches, services, each = size
    with running_world(switches) as (world, _):
        pids = {child.name: child.process.pid for child in world.whole.children}
        before = _spent(world, pids)
        world.grow([service(number) for number in range(services)], each)
        programmed = _spent(world, pids)
        _change(world, changes)
        changed = _spent(world, pids)
        time.sleep(rest_s)
        rested = _spent(world, pids)
        flows, groups = (sum(held) for held in zip(*(s.held for s in world.switches), strict=True))
        stored = (world.whole.settings.state_dir / "nib.db").stat().st_size
        memory = {f"{name} MiB": resident_mib(pid) for name, pid in pids.items()}
    rest = _differences(changed, rested)
    return {
        "flows": flows,
        "groups": groups,
        **memory,
        "database KiB": stored / _KIB,
        **{f"program: {name}": value for name, value in _differences(before, programmed).items()},
        **{
            f"change: {name}": value / changes
            for name, value in _differences(programmed, changed).items()
        },
        **{f"rest: {name}/s": value / rest_s for name, value in rest.items()},
    }


def _spent(world: World, pids: Mapping[str, int]) -> dict[str, float]:
    """Messages that all switches got, of them rules, KiB that passed, ms of processor time by
    process; so far."""
    messages = sum(sum(switch.counts.values()) for switch in world.switches)
    rules = sum(switch.counts[kind] for switch in world.switches for kind in _RULES)
    passed = sum(switch.received + switch.answered for switch in world.switches)
    used = {f"{name} ms": 1000 * processor_seconds(pid) for name, pid in pids.items()}
    return {"messages": messages, "rules": rules, "KiB": passed / _KIB, **used}


def _differences(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items()}


def _change(world: World, changes: int) -> None:
    """One container of the first service gets another weight, by which slots move in any world."""
    for turn in range(changes):
        body = world.container(0, weight=2 + turn % 2)
        world.whole.api.call("PUT", f"{_FIRST}/c0{_WAIT}", body)
