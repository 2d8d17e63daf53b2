"""A private Open vSwitch for tests: own database, own sockets, own processes, own directory.

Two flavours. `dummy` needs no root: bridges and ports are simulated, which is all that
`ofproto/trace` and the programming of switches need. `netdev` forwards real packets in the
userspace datapath and lives in its own network namespace, so that it needs root but meets nobody.

The machine's own Open vSwitch is never spoken to, and processes are ended by number only.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

Flavour = Literal["dummy", "netdev"]

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_START_TIMEOUT_S = 60.0


def is_installed() -> bool:
    """Whether the machine has the Open vSwitch programs that a PrivateOvs needs."""
    commands = ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")
    return _SCHEMA.exists() and all(shutil.which(c, path=_SEARCH_PATH) for c in commands)


class OvsError(Exception):
    """A command of Open vSwitch failed; the text has the command and its complaint."""


class PrivateOvs:
    """An ovsdb-server and an ovs-vswitchd of one test, from `with` to its end.

    >>> with PrivateOvs() as ovs:  # doctest: +SKIP
    ...     ovs.add_bridge("br0", dpid=1, ports=("p1", "p2"))
    ...     ovs.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
    ...     ovs.appctl("ofproto/trace", "br0", "in_port=1,icmp")
    """

    def __init__(self, flavour: Flavour = "dummy") -> None:
        self.flavour = flavour
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._ovsdb: subprocess.Popen[bytes] | None = None
        self._vswitchd: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # a unix socket path must stay below 108 bytes
        self._directory = tempfile.TemporaryDirectory(prefix="pw-", dir="/tmp")
        try:
            self._start_ovsdb()
            self._start_vswitchd()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both processes and remove every file. Harmless when closed already."""
        for process in (self._vswitchd, self._ovsdb):
            if process is not None:
                _end(process)
        self._vswitchd = self._ovsdb = None
        if self._directory is not None:
            self._directory.cleanup()

    @property
    def directory(self) -> Path:
        """Sockets, pid files, database and logs; anything a test puts here goes with it."""
        assert self._directory is not None, "use PrivateOvs in a with statement"
        return Path(self._directory.name)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program of Open vSwitch needs to find this one instead of the machine's."""
        here = str(self.directory)
        own = {"OVS_RUNDIR": here, "OVS_DBDIR": here, "OVS_LOGDIR": here, "OVS_SYSCONFDIR": here}
        return os.environ | own | {"PATH": _SEARCH_PATH}

    @property
    def database(self) -> str:
        """The OVSDB remote of this switch."""
        return f"unix:{self.directory}/db.sock"

    @property
    def vswitchd_pid(self) -> int:
        assert self._vswitchd is not None, "ovs-vswitchd does not run"
        return self._vswitchd.pid

    def vsctl(self, *args: str) -> str:
        return self.run("ovs-vsctl", "--timeout=60", f"--db={self.database}", *args)

    def ofctl(self, *args: str, version: str = "OpenFlow13") -> str:
        """Run ovs-ofctl; a bridge is named plainly."""
        return self.run("ovs-ofctl", "--timeout=60", "-O", version, *args)

    def appctl(self, *args: str, target: str = "ovs-vswitchd") -> str:
        return self.run("ovs-appctl", "--timeout=60", "-t", target, *args)

    def run(self, *argv: str) -> str:
        """Run a command in this switch's environment and namespace. Raises OvsError."""
        done = subprocess.run(
            [*self._inside(), *argv],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise OvsError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def add_bridge(
        self,
        name: str,
        *,
        dpid: int,
        ports: Sequence[str] = (),
        protocols: str = "OpenFlow13,OpenFlow15",
    ) -> None:
        """Add a bridge in fail_mode secure. Ports get the OpenFlow numbers 1, 2, 3, …

        In the dummy flavour ports are simulated; in the netdev flavour each is one end of a veth
        pair inside the private namespace whose other end is called NAME-peer.
        """
        kind = "dummy" if self.flavour == "dummy" else "netdev"
        settings = [f"datapath_type={kind}", "fail_mode=secure", f"protocols={protocols}"]
        settings.append(f"other_config:datapath-id={dpid:016x}")
        command = ["add-br", name, "--", "set", "Bridge", name, *settings]
        for number, port in enumerate(ports, start=1):
            if self.flavour == "netdev":
                self._add_veth(port)
            command += ["--", "add-port", name, port]
            command += ["--", "set", "Interface", port, f"ofport_request={number}"]
            command += ["type=dummy"] if self.flavour == "dummy" else []
        self.vsctl(*command)

    def set_controller(self, bridge: str, *targets: str) -> None:
        """Connect a bridge to controllers, such as "tcp:127.0.0.1:6653"; retries every second."""
        ids = [f"@c{number}" for number in range(len(targets))]
        command = ["set", "Bridge", bridge, f"controller=[{','.join(ids)}]"]
        for name, target in zip(ids, targets, strict=True):
            command += ["--", f"--id={name}", "create", "Controller"]
            command += [f'target="{target}"', "max_backoff=1000"]
        self.vsctl(*command)

    def await_controller(self, bridge: str) -> None:
        """Return when the bridge is connected to all its controllers; OvsError after 15 seconds.

        ovs-vswitchd tells the database only every 5 seconds; a controller itself knows sooner.
        """
        uuids = self.vsctl("--bare", "get", "Bridge", bridge, "controller").strip("[]\n")
        for uuid in uuids.split(", "):
            self.vsctl("wait-until", "Controller", uuid, "is_connected=true")

    def restart_vswitchd(self) -> None:
        """Kill ovs-vswitchd and start it again: bridges come back, flows and conntrack do not.

        In the netdev flavour the private namespace goes too, so ports lose their veth pairs.
        """
        assert self._vswitchd is not None, "ovs-vswitchd does not run"
        _end(self._vswitchd)
        self._start_vswitchd()

    def version(self) -> tuple[int, int]:
        """Major and minor version of the programs."""
        found = re.search(r"(\d+)\.(\d+)", self.run("ovs-vsctl", "--version"))
        assert found is not None, "ovs-vsctl prints no version"
        return int(found[1]), int(found[2])

    def _start_ovsdb(self) -> None:
        database = self.directory / "conf.db"
        self.run("ovsdb-tool", "create", str(database), str(_SCHEMA))
        remote = f"--remote=p{self.database}"
        self._ovsdb = self._spawn([], "ovsdb-server", str(database), remote)
        self._await_file(self._ovsdb, self.directory / "db.sock")
        self.vsctl("--no-wait", "init")

    def _start_vswitchd(self) -> None:
        options = ["--enable-dummy", "--disable-system"] if self.flavour == "dummy" else []
        namespace = ["unshare", "--net"] if self.flavour == "netdev" else []
        self._vswitchd = self._spawn(namespace, "ovs-vswitchd", self.database, *options)
        self._await_file(self._vswitchd, self.directory / "ovs-vswitchd.pid")
        # a change, because ovs-vsctl waits for ovs-vswitchd only when it changed something
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:vswitchd={self._vswitchd.pid}")

    def _spawn(self, prefix: Sequence[str], program: str, *args: str) -> subprocess.Popen[bytes]:
        """A daemon in the foreground that does not outlive the thread that started it."""
        (self.directory / f"{program}.pid").unlink(missing_ok=True)
        log = f"--log-file={self.directory / program}.log"
        quiet = ("--no-chdir", "--pidfile", "-vconsole:off", "-vsyslog:off", log)
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *prefix, program, *args, *quiet],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _await_file(self, process: subprocess.Popen[bytes], file: Path) -> None:
        waited_s = 0.0
        while not file.exists():
            try:
                process.wait(0.005)
            except subprocess.TimeoutExpired:
                waited_s += 0.005
                if waited_s < _START_TIMEOUT_S:
                    continue
            logs = "\n".join(log.read_text()[-2000:] for log in self.directory.glob("*.log"))
            raise OvsError(f"{process.args!r} does not start:\n{logs}")

    def _inside(self) -> list[str]:
        if self.flavour == "dummy" or self._vswitchd is None:
            return []
        return ["nsenter", f"--net=/proc/{self._vswitchd.pid}/ns/net", "--"]

    def _add_veth(self, port: str) -> None:
        peer = f"{port}-peer"
        self.run("ip", "link", "add", port, "type", "veth", "peer", "name", peer)
        for end in (port, peer):
            self.run("ip", "link", "set", "dev", end, "up")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
