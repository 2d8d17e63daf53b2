"""How long an empty switch takes until it holds everything, with three thousand services.

Prewire: the bridge is empty and without a controller, gets one, and the database says that it holds
all. ovn-controller: it is started beside an empty integration bridge, its database full, and says
that all is confirmed; once as load balancers alone, which know containers as addresses, and once
with every container as a port too, as prewire has them (`benchmarks.peers.ovn`). ovs-ofctl: an
empty bridge takes what prewire wrote from a file, in one bundle. Each is counted from before the
command that begins it, and looked at afterwards: as many flows and groups as before. They take
turns.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.peers.bundle import Bundle, emptied, held
from benchmarks.peers.ovn import Ovn, running_ovn
from benchmarks.results.report import Beside, Outcome, Row, Target, ratio, spread
from benchmarks.sites.many import CONTAINERS, Many, many
from benchmarks.sites.site import Site, running_site
from topologies.openvswitch import set_controllers, vsctl

SERVICES: Final = 3000
ROUNDS: Final = 5
MOST_OF_OVN: Final = 1.0  # of ovn-controller's time
MOST_OF_LIMIT: Final = 2.5  # of ovs-ofctl's time
MOST_MIB: Final = 400.0
_PLAIN: Final = "ovn-controller"
_PORTED: Final = "ovn-controller, with ports"
_NOTES: Final = (
    "ovn-controller: load balancers alone; no flow reaches a container or answers its ARP",
    "with ports: every container is a nested port of the logical switch too, without port security",
    "ovs-ofctl: the flows and groups of prewire, from a file",
    "prewire runs when its switch connects; ovn-controller starts and reads its database",
    "peak_mib: the most that the process has had resident; of prewire, registering all included",
    "us_a_rule: microseconds for each flow or group, by the median",
)

Times = dict[str, list[float]]


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` empty switches of each kind; `seconds` has no meaning here."""
    del seconds
    times: Times = {"prewire": [], _PLAIN: [], _PORTED: [], "ovs-ofctl": []}
    with (
        tempfile.TemporaryDirectory(prefix="prewire-bench-") as directory,
        running_site() as site,
        many(site) as services,
        running_ovn() as plain,
        running_ovn() as ported,
    ):
        services.grow(SERVICES)
        plain.grow(SERVICES)
        ported.grow(SERVICES)
        filled_s = ported.add_ports()
        peers = {_PLAIN: plain, _PORTED: ported}
        bundle = Bundle(site.bridge, Path(directory) / "rules")
        for _ in range(rounds or ROUNDS):
            _round(site, services, peers, bundle, times)
        rules = {
            "prewire": (bundle.flows, bundle.groups),
            **{name: held(peer.bridge) for name, peer in peers.items()},
            "ovs-ofctl": (bundle.flows, bundle.groups),
        }
        memory = {
            "prewire": _peak_mib(_controller(site)),
            **{name: _peak_mib(peer.controller_pid) for name, peer in peers.items()},
            "ovs-ofctl": bundle.peak_mib,
        }
    rows = {name: _row(times[name], *rules[name], memory[name]) for name in times}
    title = f"seconds until all is confirmed, {SERVICES} services of {CONTAINERS} containers"
    targets = _targets(times, memory["prewire"])
    notes = (
        *_NOTES,
        f"OVN took {filled_s:.0f} s to make the containers ports, which is not counted",
    )
    return Outcome("cold", title, rows, targets, notes, times, _compared(times, memory))


def _round(site: Site, services: Many, peers: dict[str, Ovn], bundle: Bundle, times: Times) -> None:
    vsctl("del-controller", site.bridge)
    services.gone()
    emptied(site.bridge)
    times["ovs-ofctl"].append(bundle.replayed())
    _check(site, bundle)
    emptied(site.bridge)
    for name, peer in peers.items():
        times[name].append(peer.cold())
    times["prewire"].append(_connected(site, services))
    _check(site, bundle)


def _connected(site: Site, services: Many) -> float:
    """Seconds from when the bridge is told of its controller."""
    began = time.monotonic()
    set_controllers(site.bridge, [site.target])
    services.settle()
    return time.monotonic() - began


def _controller(site: Site) -> int:
    return next(each.process.pid for each in site.children if each.name == "controller")


def _peak_mib(pid: int) -> float:
    """The most that a process has had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _check(site: Site, bundle: Bundle) -> None:
    found = held(site.bridge)
    if found != (bundle.flows, bundle.groups):
        raise BenchmarkFailed(f"{found} flows and groups, not {bundle.flows}, {bundle.groups}")


def _row(values: list[float], flows: int, groups: int, memory: float) -> Row:
    each = statistics.median(values) * 1e6 / (flows + groups)
    rules = {"flows": flows, "groups": groups, "us_a_rule": each}
    return {**spread(values), **rules, "peak_mib": memory}


def _targets(times: Times, memory: float) -> tuple[Target, ...]:
    of_peers = {name: ratio(times["prewire"], times[name]) for name in (_PLAIN, _PORTED)}
    of_limit = ratio(times["prewire"], times["ovs-ofctl"])
    return (
        *(
            Target(f"part of the time of {name}", value, MOST_OF_OVN, at_least=False)
            for name, value in of_peers.items()
        ),
        Target("part of ovs-ofctl's time", of_limit, MOST_OF_LIMIT, at_least=False),
        Target("peak memory of the controller, MiB", memory, MOST_MIB, at_least=False),
    )


def _compared(times: Times, memory: dict[str, float]) -> tuple[Beside, ...]:
    median = {name: statistics.median(values) for name, values in times.items()}
    return tuple(
        each
        for peer in (_PLAIN, _PORTED)
        for each in (
            Beside(
                f"empty switch, {SERVICES} services, s",
                median["prewire"],
                median[peer],
                peer,
                ratio(times["prewire"], times[peer]),
                median["ovs-ofctl"],
                "ovs-ofctl bundle",
                f"at most {MOST_OF_OVN:g}",
            ),
            Beside(
                "the same, peak MiB",
                memory["prewire"],
                memory[peer],
                peer,
                memory["prewire"] / memory[peer],
            ),
        )
    )
