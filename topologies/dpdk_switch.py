"""Open vSwitch on DPDK without a network card: own database, own sockets, own network namespace.

A bridge's port is a veth pair's end that DPDK polls (its af_packet driver). Files in huge pages or
below /var/run/dpdk are not left behind. The processes end with the thread that started them.

It knows nothing of hosts, and programs no flows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from topologies import hugepages, processes
from topologies.errors import NetworkError

BINARY: Final = Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
NOT_INSTALLED: Final = (
    "Open vSwitch on DPDK is not installed: apt-get install openvswitch-switch-dpdk"
)

MEMORY_MIB: Final = 256  # of packet buffers; less makes Open vSwitch refuse ports
SLEEP_US: Final = 100
"""How long the polling thread rests at most where little comes in; 0: it takes a whole core."""

_SCHEMA: Final = Path("/usr/share/openvswitch/vswitch.ovsschema")
_START_S: Final = 20.0
_STEP_S: Final = 0.01


class DpdkSwitch:
    """An ovsdb-server and an ovs-vswitchd on DPDK; made by `running_switch`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: list[subprocess.Popen[bytes]] = []
        self._pid: int | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program of Open vSwitch needs to find this one."""
        here = str(self.directory)
        own = {"OVS_RUNDIR": here, "OVS_DBDIR": here, "OVS_LOGDIR": here, "OVS_SYSCONFDIR": here}
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        return os.environ | own | {"PATH": path}

    @property
    def database(self) -> str:
        """The OVSDB remote of this switch."""
        return f"unix:{self.directory}/db.sock"

    @property
    def pid(self) -> int:
        """The process of ovs-vswitchd, which holds the namespace."""
        assert self._pid is not None, "ovs-vswitchd does not run"  # noqa: S101
        return self._pid

    def command(self, *argv: str) -> list[str]:
        """A command line that runs in the switch's network namespace."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *argv]

    def vsctl(self, *args: str) -> str:
        """Run ovs-vsctl. This and the next raise NetworkError with the complaint."""
        return self._run("ovs-vsctl", "--timeout=20", f"--db={self.database}", *args)

    def ofctl(self, *args: str, version: str = "OpenFlow13") -> str:
        """Run ovs-ofctl; a bridge is named plainly."""
        return self._run("ovs-ofctl", "--timeout=15", "-O", version, *args)

    def appctl(self, *args: str, target: str = "ovs-vswitchd") -> str:
        """Run ovs-appctl."""
        return self._run("ovs-appctl", "--timeout=15", "-t", target, *args)

    def start(self, sleep_us: int) -> None:
        """Both processes run. NetworkError has the end of the log where one does not."""
        self._run("ovsdb-tool", "create", str(self.directory / "conf.db"), str(_SCHEMA))
        self._spawn("ovsdb-server", [], "conf.db", f"--remote=p{self.database}")
        self._await(self.directory / "db.sock")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *_settings(sleep_us))
        # its sockets are named after the name it is called by, and tools look for this one
        (self.directory / "ovs-vswitchd").symlink_to(BINARY)
        vswitchd = self._spawn(
            str(self.directory / "ovs-vswitchd"), ["unshare", "--net"], self.database
        )
        self._await(self.directory / "ovs-vswitchd.pid")
        self._pid = vswitchd.pid
        # a change, because ovs-vsctl waits for ovs-vswitchd only when it changed something
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:vswitchd={self.pid}")

    def stop(self) -> None:
        """End both, harmless when they have ended."""
        while self._children:
            child = self._children.pop()
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _run(self, *argv: str) -> str:
        return processes.run(["env", *_pairs(self.environment), *argv])

    def _spawn(self, program: str, prefix: Sequence[str], *args: str) -> subprocess.Popen[bytes]:
        name = Path(program).name
        quiet = ("--no-chdir", "-vconsole:off", "-vsyslog:off", "--pidfile")
        child = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", *prefix, program, *args, *quiet),
                f"--log-file={self.directory / name}.log",
            ],
            cwd=self.directory,
            env={**self.environment, "RUNTIME_DIRECTORY": str(self.directory)},  # of DPDK
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def _await(self, file: Path) -> None:
        deadline = time.monotonic() + _START_S
        while not file.exists():
            try:
                self._children[-1].wait(_STEP_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            logs = "\n".join(log.read_text()[-2000:] for log in self.directory.glob("*.log"))
            raise NetworkError(f"{self._children[-1].args!r} does not start:\n{logs}")


@contextmanager
def running_switch(sleep_us: int = SLEEP_US) -> Iterator[DpdkSwitch]:
    """A switch without bridges inside the body; its memory is given back after it.

    Raises NoHugepages where the kernel gives none, NetworkError: not root, not installed, or it
    does not start.
    """
    if not BINARY.exists():
        raise NetworkError(NOT_INSTALLED)
    if os.geteuid() != 0:
        raise NetworkError("a switch on DPDK needs root")
    # a unix socket's path must stay below 108 bytes
    with (
        tempfile.TemporaryDirectory(prefix="pw-dpdk-", dir="/tmp") as directory,
        hugepages.reserved(MEMORY_MIB),
    ):
        switch = DpdkSwitch(Path(directory))
        try:
            switch.start(sleep_us)
            yield switch
        finally:
            switch.stop()


def _settings(sleep_us: int) -> list[str]:
    """One polling thread, on the last processor; the rest of Open vSwitch on the first."""
    last = (os.cpu_count() or 1) - 1
    return [
        "other_config:dpdk-init=true",
        f"other_config:dpdk-socket-mem={MEMORY_MIB}",
        'other_config:dpdk-extra="--no-pci --in-memory --no-telemetry"',
        "other_config:dpdk-lcore-mask=0x1",
        f"other_config:pmd-cpu-mask={1 << last:#x}",
        f"other_config:pmd-maxsleep={sleep_us}",  # until Open vSwitch 3.2
        f"other_config:pmd-sleep-max={sleep_us}",
    ]


def _pairs(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={environment[name]}" for name in environment if name.startswith("OVS_")] + [
        f"PATH={environment['PATH']}"
    ]
