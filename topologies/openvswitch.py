"""The machine's Open vSwitch: start it when none runs, stop it only when we started it.

Owns the life of the system-wide ovsdb-server and ovs-vswitchd, and the few ovs-vsctl calls this
room needs. Works without systemd and without the kernel module (the userspace datapath then
serves). What it started is remembered in a file, so that a run after an interrupted one still
stops it.

It knows nothing of topologies and programs no flows.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from topologies import processes
from topologies.errors import NetworkError
from topologies.processes import ProcessId

OVS_CTL = Path("/usr/share/openvswitch/scripts/ovs-ctl")
DEFAULT_STATE_DIR = Path("/run/prewire")

_MARKER = "openvswitch.json"
_RUN_DIR = Path("/run/openvswitch")
_DAEMONS = ("ovsdb-server", "ovs-vswitchd")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StartedOpenVSwitch:
    """An Open vSwitch that we started and shall stop."""

    processes: tuple[ProcessId, ...]


@contextmanager
def ensure_running(state_dir: Path = DEFAULT_STATE_DIR) -> Iterator[StartedOpenVSwitch | None]:
    """Open vSwitch answers inside the body. Yields None when it ran already and is not ours.

    Ours is what this call started, and what an earlier call started whose process was killed. On
    leaving, ours is stopped, unless it carries somebody's bridges.

    Raises NetworkError when Open vSwitch is not installed or does not start.
    """
    marker = state_dir / _MARKER
    started = _abandoned(marker) if is_running() else _start()
    if started is None:
        yield None
        return
    _write_marker(marker, started)
    try:
        yield started
    finally:
        _stop(marker)


def is_running() -> bool:
    """Whether both daemons answer."""
    try:
        vsctl("--no-wait", "show")
        processes.run(["ovs-appctl", "--timeout=3", "-t", "ovs-vswitchd", "version"])
    except NetworkError as error:
        _log.debug("Open vSwitch does not answer: %s", error)
        return False
    return True


def vsctl(*args: str, timeout_s: int = 10) -> str:
    """Run ovs-vsctl, waiting for ovs-vswitchd to follow. Raises NetworkError with its complaint."""
    return processes.run(["ovs-vsctl", f"--timeout={timeout_s}", *args], timeout_s=timeout_s + 5)


def bridges() -> tuple[str, ...]:
    return tuple(vsctl("--no-wait", "list-br").split())


def tagged_bridges(key: str, value: str) -> tuple[str, ...]:
    """Bridges that carry this pair in their external_ids."""
    rows = json.loads(
        vsctl("--no-wait", "--format=json", "--columns=name,external_ids", "list", "Bridge")
    )["data"]
    return tuple(name for name, (_, ids) in rows if [key, value] in ids)


def set_controllers(bridge: str, targets: Sequence[str]) -> None:
    """Connect a bridge to these controllers; a lost connection is retried every second."""
    ids = [f"@c{number}" for number in range(len(targets))]
    command = ["set", "Bridge", bridge, f"controller=[{','.join(ids)}]"]
    for name, target in zip(ids, targets, strict=True):
        command += ["--", f"--id={name}", "create", "Controller"]
        command += [f'target="{target}"', "max_backoff=1000"]
    vsctl(*command)


def await_controllers(bridge: str, timeout_s: int) -> None:
    """Return when the bridge is connected to all its controllers, else NetworkError.

    ovs-vswitchd tells the database of a connection only every 5 seconds.
    """
    for uuid in vsctl("--bare", "get", "Bridge", bridge, "controller").strip("[]\n").split(", "):
        vsctl("wait-until", "Controller", uuid, "is_connected=true", timeout_s=timeout_s)


def delete_bridges(names: Iterable[str]) -> None:
    for name in names:
        vsctl("--if-exists", "del-br", name)


def _start() -> StartedOpenVSwitch:
    if not OVS_CTL.exists():
        raise NetworkError("Open vSwitch is not installed: apt-get install openvswitch-switch")
    if os.geteuid() != 0:
        raise NetworkError("Open vSwitch does not run and only root can start it")
    processes.run(
        [str(OVS_CTL), "start", "--system-id=random", "--no-record-hostname"], timeout_s=60
    )
    if not is_running():
        raise NetworkError("Open vSwitch was started but does not answer; see its log files")
    return StartedOpenVSwitch(_daemons())


def _stop(marker: Path) -> None:
    if is_running() and bridges():
        _log.warning("leaving Open vSwitch running: it has bridges %s", ", ".join(bridges()))
        return
    processes.run([str(OVS_CTL), "stop"], timeout_s=60)
    marker.unlink(missing_ok=True)


def _daemons() -> tuple[ProcessId, ...]:
    pids = ((_RUN_DIR / f"{daemon}.pid").read_text().strip() for daemon in _DAEMONS)
    found = (processes.identity(int(pid)) for pid in pids)
    return tuple(process for process in found if process is not None)


def _write_marker(marker: Path, started: StartedOpenVSwitch) -> None:
    owner = processes.identity(os.getpid())
    everyone = [*started.processes, *([owner] if owner else [])]
    marker.parent.mkdir(parents=True, exist_ok=True)
    content = {"boot": processes.boot_id(), "processes": [[p.pid, p.started] for p in everyone]}
    marker.write_text(json.dumps(content))


def _abandoned(marker: Path) -> StartedOpenVSwitch | None:
    """The running Open vSwitch, if an earlier call started it and that caller is gone."""
    if not marker.exists():
        return None
    content = json.loads(marker.read_text())
    *daemons, owner = (ProcessId(*entry) for entry in content["processes"])
    same = content["boot"] == processes.boot_id() and tuple(daemons) == _daemons()
    if not same or (processes.is_alive(owner) and owner.pid != os.getpid()):
        return None
    return StartedOpenVSwitch(tuple(daemons))
