"""Three real switches in a ring, with simulated hosts, a database and one controller.

Cables are sockets between simulated ports. What leaves by a host's port can be read back, and
anything can be put in.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from scapy.packet import Packet
from scapy.utils import PcapReader

from nib.database import Nib
from nib.draft import Draft
from nib.records import Record
from nib.server import EmbeddedServer
from nib.topology import Host, Link, Port, Switch
from prewire import processes
from prewire.settings import Settings, load
from tests import commands
from tests.acceptance.deployment import sample_values
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command
from tests.waiting import until

BRIDGES: Final = ("s1", "s2", "s3")
HOST_PORTS: Final = ("h1", "h2")
CONNECTED: Final = " connected\n"  # in the controller's log
CABLES: Final = (("s1", "s2"), ("s2", "s3"), ("s3", "s1"))


def dpid_of(bridge: str) -> str:
    """The datapath id of a bridge."""
    return f"{int(bridge[1:]):016x}"


def links_between(*cables: tuple[str, str]) -> set[Link]:
    """The rows of cables, both directions."""
    ends = [*cables, *((there, here) for here, there in cables)]
    return {
        Link(dpid_of(here), f"{here}-{there}", dpid_of(there), f"{there}-{here}")
        for here, there in ends
    }


@dataclass
class DiscoverySite:
    """What a test works with."""

    framework: Framework
    ovs: PrivateOvs
    nib: Nib
    settings: Settings
    log: Path
    process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------ the database

    def rows(self, kind: type[Any]) -> set[Any]:
        """Every row of a kind."""
        with self.nib.view() as view:
            return set(view.all(kind))

    def put(self, *records: Record) -> None:
        """Store rows."""
        self.write(lambda draft: [draft.put(record) for record in records])

    def write(self, change: Callable[[Draft], Any]) -> None:
        """Commit a change."""
        self.nib.write(change).result(60)

    def await_links(self, *cables: tuple[str, str], timeout_s: float = 60.0) -> float:
        """Return when the database has exactly these links; the seconds it took."""
        began, wanted = time.monotonic(), links_between(*cables)
        what = f"links are {cables}"
        until(lambda: self.rows(Link), lambda seen: seen == wanted, what, timeout_s)
        return time.monotonic() - began

    def await_hosts(self, *hosts: Host) -> None:
        """Return when the database has exactly these hosts."""
        until(lambda: self.rows(Host), lambda seen: seen == set(hosts), f"hosts are {hosts}")

    def port(self, name: str) -> Port | None:
        """The row of a port."""
        return next((port for port in self.rows(Port) if port.name == name), None)

    # ------------------------------------------------------------------ packets

    def send(self, port: str, frame: Packet | bytes) -> None:
        """A frame comes in by a host's port."""
        self.ovs.appctl("netdev-dummy/receive", port, bytes(frame).hex())

    def received(self, port: str) -> list[tuple[float, bytes]]:
        """(seconds since 1970, frame) of what left by a host's port so far."""
        with PcapReader(str(self.ovs.directory / f"{port}.pcap")) as reader:
            return [(float(each.time), bytes(each)) for each in reader]

    def await_frame(self, port: str, holds: Callable[[bytes], object], what: str) -> bytes:
        """The newest frame that has left by a host's port and is such; waits for one."""

        def look() -> list[bytes]:
            return [frame for _, frame in self.received(port) if holds(frame)]

        return until(look, bool, f"{what} leaves by {port}")[-1]

    # ------------------------------------------------------------------ the controller

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        page = httpx.get(f"http://127.0.0.1:{self.settings.metrics_port}/metrics").text
        return sum(sample_values(page, name, labels))

    def controller(self, settings: Settings) -> subprocess.Popen[bytes]:
        """A controller process."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*processes.tied(), *controller_command(self.framework, settings)],
                env=commands.environment(settings.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def start_controller(self) -> None:
        """Start it, and return when all switches are connected to it and hold what they should."""
        self.log.touch()
        wanted = self.log.read_text().count(CONNECTED) + len(BRIDGES)
        self.process = self.controller(self.settings)
        until(
            self.log.read_text,
            lambda text: text.count(CONNECTED) >= wanted,
            "all switches are connected",
            timeout_s=60,
        )
        self.await_switches()

    def kill_controller(self) -> None:
        """As the operating system would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def await_switches(self) -> None:
        """Return when all switches are connected and hold what intent says."""
        self.nib.when(
            lambda view: (
                len(view.all(Switch)) == len(BRIDGES)
                and all(
                    switch.connected and switch.applied >= view.generation
                    for switch in view.all(Switch)
                )
            )
        ).result(60)


def _add_bridges(ovs: PrivateOvs) -> None:
    for bridge in BRIDGES:
        ports = [f"{bridge}-{name}" for name in HOST_PORTS]
        ovs.add_bridge(bridge, dpid=int(dpid_of(bridge), 16), ports=ports)
        for port in ports:
            pcap = ovs.directory / f"{port}.pcap"
            ovs.vsctl("set", "Interface", port, f"options:tx_pcap={pcap}")
    for here, there in CABLES:
        _connect(ovs, here, there, ("pstream", "punix"))
        _connect(ovs, there, here, ("stream", "unix"))


def _connect(ovs: PrivateOvs, here: str, there: str, end: tuple[str, str]) -> None:
    """One end of a cable: a simulated port that talks to its peer by a socket."""
    name, wire = f"{here}-{there}", "-".join(sorted((here, there)))
    options = f'options:{end[0]}="{end[1]}:{ovs.directory}/{wire}.wire"'
    number = f"ofport_request={10 + int(there[1:])}"
    ovs.vsctl("add-port", here, name, "--", "set", "Interface", name, "type=dummy", options, number)


@contextmanager
def discovery_site(framework: Framework = "os-ken") -> Iterator[DiscoverySite]:
    """Everything runs, and ends with the block; the controller's log is free of tracebacks."""
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        database = stack.enter_context(EmbeddedServer(directory, processes.tied()))
        ovs = stack.enter_context(PrivateOvs())
        nib = stack.enter_context(Nib(database.remote, "test"))
        ports = free_ports("controller_port", "metrics_port")
        nowhere = f"unix:{directory}/nobody.sock"
        settings = load(
            state_dir=directory, nib=database.remote, switch_db=f"{ovs.database};{nowhere}", **ports
        )
        log = directory / "controller.log"
        site = DiscoverySite(framework, ovs, nib, settings, log)
        _add_bridges(ovs)
        for bridge in BRIDGES:
            ovs.set_controller(bridge, f"tcp:127.0.0.1:{settings.controller_port}")
        try:
            site.start_controller()
            yield site
        finally:
            if site.process is not None:
                site.kill_controller()
        assert "Traceback" not in log.read_text(), log.read_text()


def is_lldp(frame: bytes) -> bool:
    """Whether a frame is LLDP."""
    return frame[12:14] == b"\x88\xcc"
