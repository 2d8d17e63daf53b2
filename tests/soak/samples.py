"""What processes and the machine hold at a time: memory, descriptors, namespaces, rules.

All is read from /proc and from Open vSwitch's own programs; a process is known by its id.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.sites.counters import processor_seconds
from topologies.errors import NetworkError
from topologies.processes import run

_KIB: Final = 1024.0
_MIB: Final = 1024.0 * 1024.0
_SIZE: Final = re.compile(r"^(Rss|Anonymous):\s+(\d+) kB", re.MULTILINE)
_MEMORY: Final = re.compile(r"([\w ]+?):(\d+)")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process. own_mib: what is resident of its memory and of no file; pages of programs and
    libraries come and go with what runs. children: processes that it started and that are there,
    ended ones too."""

    rss_mib: float
    own_mib: float
    fds: int
    threads: int
    children: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """at_s: monotonic. series: on each process's page of metrics."""

    at_s: float
    processes: dict[str, Usage]
    counts: dict[str, float]
    series: dict[str, int] = field(default_factory=dict)


def usage(pid: int) -> Usage | None:
    """Of a process that runs; None where there is none."""
    place = Path(f"/proc/{pid}")
    try:
        sizes = dict(_SIZE.findall((place / "smaps_rollup").read_text()))
        tasks = list((place / "task").iterdir())
        return Usage(
            rss_mib=int(sizes["Rss"]) / _KIB,
            own_mib=int(sizes["Anonymous"]) / _KIB,
            fds=len(os.listdir(place / "fd")),
            threads=len(tasks),
            children=sum(map(_children, tasks)),
            cpu_s=processor_seconds(pid),
        )
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return None


def _children(task: Path) -> int:
    """Of a thread; one that has ended has none."""
    try:
        return len((task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def usages(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Of those that run."""
    found = {name: usage(pid) for name, pid in pids.items()}
    return {name: each for name, each in found.items() if each is not None}


def namespaces() -> int:
    """Namespaces of all kinds that processes live in, as lsns counts them; and named ones."""
    kinds = os.listdir("/proc/self/ns")
    found = set()
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            found |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds}
    named = Path("/run/netns")
    return len(found) + (len(list(named.iterdir())) if named.is_dir() else 0)


def interfaces() -> int:
    """Network interfaces of this namespace: veth pairs' ends and bridges among them."""
    return len(Path("/proc/self/net/dev").read_text().splitlines()) - 2


def files(directory: Path, left_out: Iterable[str] = ()) -> dict[str, float]:
    """How many files there are, and their size."""
    found = [path for path in directory.iterdir() if path.name not in set(left_out)]
    sizes = []
    for path in found:
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return {"state_files": len(sizes), "state_mib": sum(sizes) / _MIB}


def rules(bridges: Iterable[str]) -> dict[str, float]:
    """Flows, groups and meters of these switches together; {} while one of them is away."""
    found = {"flows": 0.0, "groups": 0.0, "meters": 0.0}
    given = ["ovs-ofctl", "-O", "OpenFlow13"]
    try:
        for bridge in bridges:
            told = run([*given, "dump-aggregate", bridge])
            found["flows"] += int(told.rpartition("flow_count=")[2].split()[0])
            found["groups"] += run([*given, "dump-groups", bridge]).count("group_id=")
            found["meters"] += run([*given, "dump-meters", bridge]).count("meter=")
    except NetworkError:
        return {}
    return found


def switch_memory() -> dict[str, float]:
    """What ovs-vswitchd says it holds (`memory/show`), and how many connections it tracks."""
    told = run(["ovs-appctl", "-t", "ovs-vswitchd", "memory/show"])
    found = {f"ovs {name.strip()}": float(count) for name, count in _MEMORY.findall(told)}
    tracked = run(["ovs-appctl", "-t", "ovs-vswitchd", "dpctl/ct-get-nconns"])
    return {**found, "conntrack": float(tracked.split()[-1])}
