"""What a running network created, written down first, so that it can always be removed.

Owns the journal of one network (one JSON object a line, appended before or right after each
creation), the lock that admits one network at a time, and the removal of what a journal names. An
orderly exit and the cleaning after an interrupted run are the same code.

Only what the journal names, or what carries both our prefix and our tag, is ever touched. It knows
nothing of Mininet or of what a network is for.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topologies import openvswitch, processes
from topologies.errors import NetworkError
from topologies.processes import ProcessId
from topologies.spec import PREFIX

DEFAULT_STATE_DIR = Path("/run/prewire/topology")
TAG = "prewire-topology"
"""The key in a bridge's external_ids; its value is the state directory it belongs to."""

_JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What exists of a network: live processes, bridges, and interfaces outside namespaces."""

    processes: tuple[ProcessId, ...] = ()
    bridges: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.processes or self.bridges or self.interfaces)


@dataclass(frozen=True, slots=True)
class _Entries:
    """What a journal names, existing or not."""

    boot: str | None
    processes: tuple[ProcessId, ...]
    bridges: tuple[str, ...]
    interfaces: tuple[str, ...]


class Ledger:
    """The journal of the network that is being built or runs."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / _JOURNAL
        self._append("boot", processes.boot_id())

    def process(self, pid: int) -> None:
        """Write down a process that was started just now; one that ended already is skipped."""
        process = processes.identity(pid)
        if process is not None:
            self._append("process", [process.pid, process.started])

    def bridge(self, name: str) -> None:
        self._append("bridge", name)

    def interface(self, name: str) -> None:
        self._append("interface", name)

    def _append(
        self, kind: Literal["boot", "process", "bridge", "interface"], value: str | list[int]
    ) -> None:
        with self._path.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({kind: value}) + "\n")


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the state directory, making it when needed. The kernel frees it if we are killed.

    Raises NetworkError when another network of ours is running.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_dir / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise NetworkError(
                f"another prewire network is running (process {owner}); stop it first"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def remove_all(state_dir: Path) -> Leftovers:
    """Remove everything the journal names and every bridge with our prefix and this tag.

    The tag finds a bridge whose journal is gone: `/run` is emptied at boot, bridges are not.

    The caller holds the lock. Returns what was there. Raises NetworkError when something resists;
    the journal then stays for the next attempt.
    """
    journal = state_dir / _JOURNAL
    entries = _entries(journal)
    found_processes = _living(entries)
    found_interfaces = tuple(filter(_interface_exists, entries.interfaces))
    for name in found_interfaces:
        _delete_interface(name)
    processes.end(found_processes)
    found_bridges = _existing_bridges(entries.bridges, state_dir)
    openvswitch.delete_bridges(found_bridges)
    journal.unlink(missing_ok=True)
    return Leftovers(found_processes, found_bridges, found_interfaces)


def _living(entries: _Entries) -> tuple[ProcessId, ...]:
    """The journal's processes that still run, with the company they keep in our namespaces."""
    if entries.boot != processes.boot_id():
        return ()
    recorded = [process for process in entries.processes if processes.is_alive(process)]
    ours = {processes.network_namespace(process.pid) for process in recorded}
    ours -= {None, processes.network_namespace("self")}
    members = processes.in_namespaces({space for space in ours if space}) if ours else ()
    return tuple(dict.fromkeys((*recorded, *members)))


def _existing_bridges(recorded: tuple[str, ...], state_dir: Path) -> tuple[str, ...]:
    if not openvswitch.is_running():
        if recorded:
            raise NetworkError(
                f"Open vSwitch does not run, so its bridges {', '.join(recorded)} cannot be"
                " removed; start it and try again"
            )
        return ()
    tagged = openvswitch.tagged_bridges(TAG, str(state_dir))
    ours = dict.fromkeys((*recorded, *(name for name in tagged if name.startswith(PREFIX))))
    existing = set(openvswitch.bridges())
    return tuple(name for name in ours if name in existing)


def _delete_interface(name: str) -> None:
    """Delete an interface; the kernel may be faster when its namespace is going away."""
    try:
        processes.run(["ip", "link", "delete", "dev", name])
    except NetworkError:
        if _interface_exists(name):
            raise


def _entries(journal: Path) -> _Entries:
    """Read a journal. A last line without its end was cut off by a kill and says nothing."""
    text = journal.read_text(encoding="utf-8") if journal.exists() else ""
    complete = text[: text.rfind("\n") + 1]
    entries = [json.loads(line) for line in complete.splitlines()]
    return _Entries(
        next((entry["boot"] for entry in entries if "boot" in entry), None),
        tuple(ProcessId(*entry["process"]) for entry in entries if "process" in entry),
        tuple(entry["bridge"] for entry in entries if "bridge" in entry),
        tuple(entry["interface"] for entry in entries if "interface" in entry),
    )


def _interface_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()
