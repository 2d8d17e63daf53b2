"""What the node agent asks of this machine's Open vSwitch.

Owns: the few calls of ovs-vsctl, and reading the connection table from ovs-vswitchd's own socket
(ovs-appctl(8)), piece by piece as it comes, for it may be large.
Must not know: the NIB, namespaces, why a port is wanted.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nib.tls_stream import tool_options
from prewire.errors import CommandFailed
from prewire.settings import Settings

DEFAULT_RUN_DIR: Final = Path("/var/run/openvswitch")

_TAG: Final = "prewire"  # the external_ids key of rows that are ours
_HEALTH: Final = "health"
_TIMEOUT_S: Final = 5
_CHUNK: Final = 1 << 18


class OvsFailed(CommandFailed):
    """Open vSwitch does not answer, or refused; the text has its complaint."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge of this machine; dpid: '' until ovs-vswitchd has given one."""

    name: str
    dpid: str
    ports: frozenset[str]


def obstacle(settings: Settings) -> str | None:
    """Why no agent can run here, in one line; None: it can."""
    if not switch_database(settings):
        return "this machine runs no Open vSwitch; start it, or set switch_db"
    if os.geteuid() != 0:
        return "it makes network namespaces and bridge ports; run it as root"
    return None


def switch_database(settings: Settings) -> str:
    """The OVSDB remote of this machine's Open vSwitch; "" for none.

    Of several databases in `switch_db` it is the one on a socket of this machine.
    """
    if settings.switch_db is not None:
        remotes = [remote.strip() for remote in settings.switch_db.split(";")]
        return next((each for each in remotes if each.startswith("unix:")), remotes[0])
    path = DEFAULT_RUN_DIR / "db.sock"
    return f"unix:{path}" if path.exists() else ""


class OpenVSwitch:
    """The Open vSwitch whose database is at `remote`. Methods raise OvsFailed."""

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self.run_dir = _run_dir(remote)

    def bridges(self) -> list[Bridge]:
        """Every bridge."""
        rows = self._rows("list", "Bridge", columns="name,datapath_id,ports")
        ports = dict(self._rows("list", "Port", columns="_uuid,name"))
        return [
            Bridge(name, dpid if isinstance(dpid, str) else "", _names(members, ports))
            for name, dpid, members in rows
        ]

    def health_ports(self) -> list[tuple[str, bool]]:
        """Ports that carry our tag, and whether each has a device behind it."""
        rows = self._rows(
            "find", "Interface", f"external_ids:{_TAG}={_HEALTH}", columns="name,ofport"
        )
        return [(name, isinstance(number, int) and number > 0) for name, number in rows]

    def add_health_port(self, bridge: str, port: str, iface_id: str, mac: str) -> None:
        """Put a device of ours into a bridge; ovs-vswitchd has it when this returns."""
        ids = {"iface-id": iface_id, "attached-mac": mac, _TAG: _HEALTH}
        said = [f'external_ids:{key}="{value}"' for key, value in ids.items()]
        self._vsctl("add-port", bridge, port, "--", "set", "Interface", port, *said)

    def delete_port(self, port: str) -> None:
        """Take a port of ours out of its bridge, if it is there."""
        self._vsctl("--if-exists", "del-port", port)

    def tables(self, columns: Mapping[str, Sequence[str]]) -> dict[str, list[list[Any]]]:
        """All rows of these columns, by table, as JSON has them (RFC 7047 section 5.1)."""
        asked: list[str] = []
        for table, names in columns.items():
            asked += ["--", f"--columns={','.join(names)}", "list", table]
        answers = self._vsctl("--format=json", *asked).splitlines()
        found = {}
        for (table, names), answer in zip(columns.items(), answers, strict=True):
            rows = json.loads(answer)
            places = [rows["headings"].index(name) for name in names]
            found[table] = [[row[place] for place in places] for row in rows["data"]]
        return found

    def transact(self, commands: Sequence[Sequence[str]]) -> None:
        """Do all of it or nothing; ovs-vswitchd has done its part when this returns."""
        self._vsctl(*(each for command in commands for each in ("--", *command)))

    def vswitchd_pid(self) -> int:
        """The process number of ovs-vswitchd."""
        try:
            return int((self.run_dir / "ovs-vswitchd.pid").read_text())
        except (OSError, ValueError) as error:
            raise OvsFailed(f"ovs-vswitchd: its process number is unknown: {error}") from None

    def datapaths(self) -> list[str]:
        """Names of the datapaths, such as "netdev@ovs-netdev"."""
        text = b"\n".join(self._call("dpctl/dump-dps"))
        return text.decode().split()

    def connections(self, datapath: str, zone: int | None) -> Iterator[bytes]:
        """The lines of a datapath's connection table; zone: of this zone only."""
        chosen = [] if zone is None else [f"zone={zone}"]
        return self._call("dpctl/dump-conntrack", "-m", datapath, *chosen)

    def _vsctl(self, *arguments: str) -> str:
        options = [f"--timeout={_TIMEOUT_S}", f"--db={self._remote}", *tool_options(self._remote)]
        command = ["ovs-vsctl", *options, *arguments]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise OvsFailed("ovs-vsctl: not found; install Open vSwitch") from None
        if done.returncode:
            *_, complaint = done.stderr.strip().splitlines() or ["timed out"]
            raise OvsFailed(f"ovs-vsctl: {complaint.removeprefix('ovs-vsctl: ')}")
        return done.stdout

    def _rows(self, *command: str, columns: str) -> list[list[Any]]:
        """Rows of columns as plain values: a set of one is its member, others are lists."""
        text = self._vsctl("--format=json", f"--columns={columns}", *command)
        return [[_plain(value) for value in row] for row in json.loads(text)["data"]]

    def _call(self, method: str, *arguments: str) -> Iterator[bytes]:
        """A command of ovs-vswitchd, and the lines that it answers."""
        request = json.dumps({"id": 0, "method": method, "params": arguments})
        try:
            with closing(socket.socket(socket.AF_UNIX)) as connection:
                connection.settimeout(_TIMEOUT_S)
                connection.connect(str(self.control()))
                connection.sendall(request.encode())
                yield from answer_lines(connection, method)
        except OSError as error:
            raise OvsFailed(f"ovs-vswitchd, {method}: {error.strerror or error}") from None

    def control(self) -> Path:
        """The socket that ovs-vswitchd takes commands on; OSError where none runs."""
        pid = (self.run_dir / "ovs-vswitchd.pid").read_text().strip()
        return self.run_dir / f"ovs-vswitchd.{pid}.ctl"


def _run_dir(remote: str) -> Path:
    """Where ovs-vswitchd has its pid file: beside its database, as usual."""
    if remote.startswith("unix:"):
        return Path(remote.removeprefix("unix:")).parent
    return Path(os.environ.get("OVS_RUNDIR") or DEFAULT_RUN_DIR)


def _plain(value: Any) -> Any:
    """An OVSDB value (RFC 7047 section 5.1): a lone atom, or a list for a set or map."""
    if not isinstance(value, list):
        return value
    kind, content = value
    return [_plain(each) for each in content] if kind == "set" else content


def _names(members: Any, ports: dict[str, str]) -> frozenset[str]:
    listed = members if isinstance(members, list) else [members]
    return frozenset(ports[uuid] for uuid in listed if uuid in ports)


def answer_lines(connection: socket.socket, method: str) -> Iterator[bytes]:
    """The result's lines out of a JSON-RPC reply whose result is one long string.

    Read as it comes instead of as JSON: line ends are written \\n in it, and nothing else in these
    results is escaped.
    """
    rest = b""
    began = False
    while not rest.endswith(b"}"):
        chunk = connection.recv(_CHUNK)
        if not chunk:
            raise OvsFailed(f"ovs-vswitchd, {method}: it ended before its answer")
        *lines, rest = (rest + chunk).split(b"\\n")
        for line in lines:
            yield line if began else _after_begin(line, method)
            began = True
    yield _before_end(rest if began else _after_begin(rest, method))


def _after_begin(line: bytes, method: str) -> bytes:
    head, found, text = line.partition(b'"result":"')
    if not found:
        complaint = head.partition(b'"error":"')[2].partition(b'"')[0] or head
        raise OvsFailed(f"ovs-vswitchd, {method}: {complaint.decode(errors='replace')}")
    return text


def _before_end(line: bytes) -> bytes:
    return line.partition(b'"')[0]
