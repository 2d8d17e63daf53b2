"""What services and containers cost in every process, and what a million would by these slopes.

Worlds of several sizes, each with processes of its own on one real switch. A plane through the
figures (least squares) gives a fixed part, and what a service and what a container adds; how far a
figure is off its plane is shown, for what lies on no plane must not be extrapolated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.results.report import Outcome
from benchmarks.sites.counters import SWITCH_PID, metric, processor_seconds, resident_mib
from benchmarks.sites.many import Many, many
from benchmarks.sites.site import Site, running_site
from topologies.openvswitch import set_controllers, vsctl

WORLDS: Final = ((250, 10), (1000, 2), (1000, 10), (2000, 5), (3000, 2), (3000, 10))
"""Services, and containers of each."""
GOAL: Final = (100_000, 10)
CHANGES: Final = 200
"""That the cost of a change is the mean of."""

_REST_SECONDS: Final = 20.0
_SECONDS: Final = "seconds"

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plane:
    """fixed + service * services + container * containers; off: the greatest distance of a figure
    from it, as a part of that figure."""

    fixed: float
    service: float
    container: float
    off: float

    def at(self, services: int, each: int) -> float:
        """Its height."""
        return self.fixed + services * (self.service + each * self.container)


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """Every world once, with `rounds` changes; `seconds` has no meaning here."""
    del seconds
    found = {world: _world(*world, rounds or CHANGES) for world in WORLDS}
    planes = {name: plane({world: each[name] for world, each in found.items()}) for name in _NAMES}
    rows = {f"{services} services of {each}": found[services, each] for services, each in WORLDS}
    rows["fixed"] = {name: each.fixed for name, each in planes.items()}
    rows["1,000 services add"] = {name: 1000 * each.service for name, each in planes.items()}
    rows["1,000 containers add"] = {name: 1000 * each.container for name, each in planes.items()}
    rows["off the plane, %"] = {name: 100 * each.off for name, each in planes.items()}
    title = "one switch; resident MiB, a cold start, percent of a core at rest, ms of it a change"
    services, each = GOAL
    ours = ", ".join(f"{name} {planes[name].at(services, each):,.0f}" for name in _NAMES)
    return Outcome("scale", title, rows, notes=(f"{services} services of {each}: {ours}",))


_PROCESSES: Final = ("nib", "controller", "api", "switch")
_NAMES: Final = (
    *(f"{name} MiB" for name in _PROCESSES),
    "database MiB",
    "cold s",
    *(f"{name} rest %" for name in _PROCESSES),
    *(f"{name} ms" for name in _PROCESSES),
)


def plane(heights: Mapping[tuple[int, int], float]) -> Plane:
    """The plane through figures by (services, containers of each), by least squares."""
    sizes = [(1.0, services, services * each) for services, each in heights]
    measured = np.array(list(heights.values()))
    factors, *_ = np.linalg.lstsq(np.array(sizes), measured, rcond=None)
    off = np.abs(np.array(sizes) @ factors - measured) / np.maximum(np.abs(measured), 1e-9)
    fixed, service, container = (float(factor) for factor in factors)
    return Plane(fixed, service, container, float(off.max()))


def _world(services: int, each: int, changes: int) -> Figures:
    with running_site() as site, many(site, each) as world:
        world.grow(services)
        pids = _pids(site)
        cold_s = _cold(site, world)
        memory = {f"{name} MiB": resident_mib(pid) for name, pid in pids.items()}
        file_mib = (site.settings.state_dir / "nib.db").stat().st_size / 2**20
        rest = _spent(pids, lambda: time.sleep(_REST_SECONDS))
        busy = _spent(pids, lambda: _change(site, world, services, changes))
    figures = memory | {"database MiB": file_mib, "cold s": cold_s}
    figures |= {f"{name} rest %": 100 * rest[name] for name in pids}
    return figures | {
        f"{name} ms": 1000 * max(0.0, busy[name] - rest[name]) * busy[_SECONDS] / changes
        for name in pids
    }


def _spent(pids: Mapping[str, int], work: Callable[[], None]) -> dict[str, float]:
    """Processor seconds a second of each process meanwhile, and how many seconds it was."""
    before, began = {name: processor_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    work()
    took_s = time.monotonic() - began
    spent = {name: (processor_seconds(pid) - before[name]) / took_s for name, pid in pids.items()}
    return spent | {_SECONDS: took_s}


def _change(site: Site, world: Many, services: int, changes: int) -> None:
    for turn in range(changes):
        path, body = world.container(turn * services // changes, 0, 9000 + turn)
        site.api.call("PUT", f"{path}?wait=applied", body)


def _pids(site: Site) -> dict[str, int]:
    ours = {child.name: child.process.pid for child in site.children}
    return {name: ours[name] for name in _PROCESSES[:-1]} | {"switch": int(SWITCH_PID.read_text())}


def _cold(site: Site, world: Many) -> float:
    """Seconds that a switch that lost everything takes until it is ready."""
    vsctl("del-controller", site.bridge)
    world.gone()
    site.net.fabric.restart(site.net.spec.switches[0].name)
    set_controllers(site.bridge, [site.target])
    world.settle()
    return metric(site.metrics(), "prewire_switch_ready_seconds")
