"""One real switch with simulated ports, a database and a controller; no REST server.

Tests write rows as REST and node agents would, look at what the switch then holds, and put packets
into its ports.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx

from gateway_lb.intent import Registration, delete_service, put_container, put_service
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror
from nib.records import Leader, Record
from nib.server import EmbeddedServer
from nib.topology import Switch
from openflow.cookies import GROUP_IDS
from openflow.packet import ACK, RST, SYN, SYN_ACK
from prewire import processes
from prewire.settings import Settings, load
from ryu_apps.ticks import now_ms
from tests import commands
from tests.acceptance.deployment import sample_values
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command
from tests.waiting import until

BRIDGE: Final = "br0"
DPID: Final = "0000000000000001"
CLIENT_PORT: Final = "p1"
CLIENT_MAC: Final = "02:00:00:00:09:01"
VIP: Final = "10.0.0.100"
VIP_MAC: Final = "02:70:77:76:69:70"
CONTAINERS: Final = ("c2", "c3", "c4")  # named after the ports they are behind

_BUCKET: Final = re.compile(r"set_field:0x([0-9a-f]+)->reg0|load:0x([0-9a-f]+)->NXM_NX_REG0")
_CONNECTION: Final = re.compile(r"sport=(\d+).*?,mark=(\d+)")


@dataclass
class Controlled:
    """What a test works with."""

    ovs: PrivateOvs
    database: EmbeddedServer
    nib: Nib
    settings: Settings
    log: Path
    process: subprocess.Popen[bytes]
    framework: Framework

    def write(self, change: Callable[[Draft], Any]) -> Any:
        """Commit a change."""
        return self.nib.write(change).result(60).value

    def put(self, *records: Record) -> None:
        """Store rows."""
        self.write(lambda draft: [draft.put(record) for record in records])

    def serve(self, *containers: str, lease_seconds: int | None = None, **fields: Any) -> None:
        """A service `web` with these fields, and containers of it."""
        self.write(put_service(Service("web", VIP, 80, **fields), now_ms()))
        for name in containers:
            self.register(name, lease_seconds=lease_seconds)

    def register(self, name: str, **fields: Any) -> None:
        """Register a container of `web`, behind the port of its number."""
        number = int(name[1:])
        address, mac = address_of(number), mac_of(number)
        here = Registration("web", name, address, 8080, mac, DPID, f"p{number}")
        registration = replace(here, **fields)
        self.write(put_container(registration, now_ms()))

    def container(self, name: str) -> Container | None:
        """A container's row, if it is there."""
        with self.nib.view() as view:
            return view.get(Container, ("web", name))

    def number(self, name: str) -> int:
        """A container's number."""
        container = self.container(name)
        assert container is not None, f"there is no {name}"
        return container.number

    def slots(self) -> list[int]:
        """The container numbers of the buckets of the service's group, in the switch."""
        with self.nib.view() as view:
            group = GROUP_IDS.start + view.need(Service, "web").number
        text = self.ovs.ofctl("dump-groups", BRIDGE, str(group))
        return [int(one or other, 16) for one, other in _BUCKET.findall(text)]

    def shares(self) -> dict[str, int]:
        """How many slots each container has in the switch."""
        held = Counter(self.slots())
        with self.nib.view() as view:
            names = {each.number: each.id for each in view.containers_of("web")}
        return {names[number]: count for number, count in held.items() if number in names}

    def await_shares(self, timeout_s: float = 60.0, **wanted: int) -> None:
        """Return when the switch has these slots."""
        until(self.shares, lambda seen: seen == wanted, f"shares are {wanted}", timeout_s)

    def send(self, port: str, *packets: str) -> None:
        """Packets come in by a port."""
        self.ovs.appctl("netdev-dummy/receive", port, *packets)

    def connect(self, *ports: int, client: str = "10.9.0.1") -> None:
        """SYNs from these ports of a client."""
        macs = f"src={CLIENT_MAC},dst={VIP_MAC}"
        self.send(CLIENT_PORT, *(_tcp(macs, (client, port), (VIP, 80), "syn") for port in ports))

    def answer(self, container: str, flags: str, *ports: int, client: str = "10.9.0.1") -> None:
        """A container's answers to the SYNs from a client's ports: flags as `syn|ack`."""
        number = int(container[1:])
        own = address_of(number), 8080
        macs = f"src={mac_of(number)},dst={CLIENT_MAC}"
        self.send(f"p{number}", *(_tcp(macs, own, (client, port), flags) for port in ports))

    def chosen(self) -> dict[int, str]:
        """The containers that conntrack remembers, by the client's port."""
        with self.nib.view() as view:
            names = {each.number: each.id for each in view.containers_of("web")}
            zone = view.need(Switch, DPID).ct_zone
        text = self.ovs.appctl("dpctl/dump-conntrack", f"zone={zone}")
        found = {int(port): int(mark) for port, mark in _CONNECTION.findall(text)}
        return {port: names[mark] for port, mark in found.items() if mark in names}

    def metrics(self) -> str:
        """The controller's page."""
        return httpx.get(f"http://127.0.0.1:{self.settings.metrics_port}/metrics").text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(sample_values(self.metrics(), name, labels))

    def restart_controller(self) -> None:
        """Kill the controller and start another."""
        self.process.kill()
        self.process.wait()
        self.process = _controller(self.settings, self.log, self.framework)
        self.await_switch()

    def await_switch(self) -> None:
        """Return when this controller leads, and the switch holds everything."""
        pid = self.process.pid
        self.nib.when(lambda view: leads(view, pid) and is_programmed(view)).result(60)
        until(
            lambda: self.ovs.ofctl("dump-flows", BRIDGE, "table=100"),
            lambda text: "actions=" in text,
            f"the switch is programmed by controller {pid}; see {self.log}",
        )

    def clear(self) -> None:
        """No service, no connection."""
        self.write(_delete_all)
        self.ovs.appctl("dpctl/flush-conntrack")


def leads(view: Lookups, pid: int) -> bool:
    """Whether the controller of this process leads."""
    leader = view.get(Leader, ())
    return leader is not None and leader.controller.endswith(f":{pid}")


def is_programmed(view: Mirror) -> bool:
    """Whether the switch has acknowledged all intent."""
    switch = view.get(Switch, DPID)
    return switch is not None and switch.connected and switch.applied >= view.generation


def _delete_all(draft: Draft) -> None:
    for service in draft.all(Service):
        delete_service(service.name)(draft)


def address_of(number: int) -> str:
    """A container's address."""
    return f"10.0.1.{number}"


def mac_of(number: int) -> str:
    """A container's MAC address."""
    return f"02:00:00:00:01:{number:02x}"


def _tcp(macs: str, source: tuple[str, int], target: tuple[str, int], flags: str) -> str:
    """A packet as `netdev-dummy/receive` reads it."""
    bits = {"syn": SYN, "syn|ack": SYN_ACK, "rst|ack": RST | ACK}[flags]
    return (
        f"in_port(1),eth({macs}),eth_type(0x0800),ipv4(src={source[0]},dst={target[0]},proto=6,"
        f"tos=0,ttl=64,frag=no),tcp(src={source[1]},dst={target[1]}),tcp_flags({bits:#x})"
    )


def _controller(settings: Settings, log: Path, framework: Framework) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [*processes.tied(), *controller_command(framework, settings)],
            env=commands.environment(settings.environment),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@contextmanager
def controlled(framework: Framework = "os-ken", **given: Any) -> Iterator[Controlled]:
    """Everything runs, and ends with the block; the controller's log is free of tracebacks.

    given: settings.
    """
    with (
        short_directory() as directory,
        EmbeddedServer(directory, processes.tied()) as database,
        PrivateOvs() as ovs,
        Nib(database.remote, "test") as nib,
    ):
        ports = free_ports("controller_port", "metrics_port")
        settings = load(
            state_dir=directory,
            nib=database.remote,
            switch_db="",
            stats_seconds=0.2,
            **ports,
            **given,
        )
        log = directory / "controller.log"
        process = _controller(settings, log, framework)
        here = Controlled(ovs, database, nib, settings, log, process, framework)
        try:
            names = [f"p{number}" for number in range(1, 8)]
            ovs.add_bridge(BRIDGE, dpid=1, ports=names)
            ovs.set_controller(BRIDGE, f"tcp:127.0.0.1:{settings.controller_port}")
            here.await_switch()
            yield here
        finally:
            here.process.kill()
            here.process.wait()
        assert "Traceback" not in log.read_text(), log.read_text()
