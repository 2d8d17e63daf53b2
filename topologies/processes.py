"""Processes by identity: run one, tell it from a later one with the same number, end it.

A process number alone is reused by the kernel. A `ProcessId` adds the start time, and signals go
through a pidfd that was opened before the start time is compared, so that a signal can never reach
a stranger. Nothing here finds a process by its name.

It knows nothing of networks, hosts or files of ours.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from topologies.errors import NetworkError

_STATE, _START_TIME = 0, 19  # after the command in /proc/PID/stat: proc(5) fields 3 and 22
_ENDED = ("Z", "X")  # only waiting to be collected


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process: its number and its start time in clock ticks after boot."""

    pid: int
    started: int


def identity(pid: int) -> ProcessId | None:
    """The identity of the process that runs under this number now; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in _ENDED else ProcessId(pid, int(fields[_START_TIME]))


def is_alive(process: ProcessId) -> bool:
    return identity(process.pid) == process


def boot_id() -> str:
    """Changes at every boot; a start time means something only within one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def network_namespace(pid: int | str) -> str | None:
    """The network namespace of a process, as the kernel names it; None when the process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def in_namespaces(namespaces: Collection[str]) -> tuple[ProcessId, ...]:
    """Every process that lives in one of these network namespaces."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    members = (identity(pid) for pid in pids if network_namespace(pid) in namespaces)
    return tuple(process for process in members if process is not None)


def end(processes: Iterable[ProcessId], *, timeout_s: float = 5.0) -> None:
    """Kill these processes and wait until all are gone; those already gone are skipped.

    Raises NetworkError when one outlives the timeout.
    """
    waiting: dict[int, ProcessId] = {}
    try:
        for process in processes:
            descriptor = _open(process)
            if descriptor is not None:
                waiting[descriptor] = process
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _await_exit(waiting, timeout_s)
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def run(argv: Sequence[str], *, given: str = "", timeout_s: float = 20.0) -> str:
    """Run a command to its end and return what it printed. given: its standard input.

    Raises NetworkError naming the command and what it complained about, also when it is missing or
    slower than the timeout.
    """
    try:
        done = subprocess.run(
            argv,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise NetworkError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"{' '.join(argv)}: no answer within {timeout_s:g} s") from error
    if done.returncode != 0:
        complaint = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise NetworkError(f"{' '.join(argv)}: {complaint}")
    return done.stdout


def _open(process: ProcessId) -> int | None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if is_alive(process):
        return descriptor
    os.close(descriptor)
    return None


def _await_exit(waiting: dict[int, ProcessId], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    alive = dict(waiting)
    while alive:
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            del alive[descriptor]
        if not ready:
            pids = ", ".join(str(process.pid) for process in alive.values())
            raise NetworkError(f"processes {pids} do not end within {timeout_s:g} s")
