"""OVN on a switch of its own, as the peer: load balancers on a logical switch that has a router.

Owns the databases, ovn-northd, ovn-controller, and an Open vSwitch whose integration bridge is of
the userspace datapath, as the site's bridge is. All of it is in a directory of its own.

What makes OVN quick is on: all services are in one load balancer group, of the logical switch
alone; ovn-controller follows the whole database instead of asking for parts of it; a running
ovn-nbctl is asked by its socket, without the start of a process. Containers are addresses in load
balancers, and nothing else: there are no flows that reach them, which spares OVN most of its flows.
`Ovn.add_ports` makes them ports of the switch too.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.peers import ovn_ports
from benchmarks.peers.bundle import emptied, held
from benchmarks.peers.ovn_daemons import Daemons
from benchmarks.sites.many import CONTAINERS, PORT, backend, vip

CHASSIS: Final = "peer"
PORTS: Final = 3  # that containers are behind
_ROUTER_MAC: Final = "02:00:00:00:00:fe"
_OVS_SCHEMA: Final = Path("/usr/share/openvswitch/vswitch.ovsschema")
_OVN_SCHEMAS: Final = Path("/usr/share/ovn")
_AT_ONCE: Final = 100  # services in a transaction
_HELD_SECONDS: Final = 900


class Ovn:
    """The peer, with so many services as `grow` was told."""

    def __init__(self, daemons: Daemons) -> None:
        self._daemons = daemons
        self._count = 0

    @property
    def bridge(self) -> str:
        """Its integration bridge, as ovs-ofctl is told of it."""
        return self._daemons.socket("br-int.mgmt")

    @property
    def pids(self) -> list[int]:
        """All its processes, its Open vSwitch among them."""
        return self._daemons.pids()

    @property
    def controller_pid(self) -> int:
        """ovn-controller."""
        return self._daemons.pid("ovn-controller")

    def grow(self, count: int) -> None:
        """Add load balancers until there are so many; returns when the switch holds them all."""
        for begin in range(self._count, count, _AT_ONCE):
            services = range(begin, min(begin + _AT_ONCE, count))
            self._ask("--no-wait", *_added(services))
        self._count = count
        self._ask("--wait=hv", "sync")
        _, groups = held(self.bridge)
        if groups < count:
            raise BenchmarkFailed(f"OVN: {groups} groups for {count} services")

    def add_ports(self) -> float:
        """Make every container a port; seconds until the switch holds them all."""
        began = time.monotonic()
        count, parents = self._count * CONTAINERS, ovn_ports.parents(self._count)
        self._daemons.kill("ovn-controller")
        ovn_ports.add_interfaces(self._daemons, parents)
        self._ask("--no-wait", *ovn_ports.parents_added(parents))
        for begin in range(0, self._count, _AT_ONCE):
            services = range(begin, min(begin + _AT_ONCE, self._count))
            self._ask("--no-wait", *ovn_ports.added(services))
        self._ask("--wait=sb", "sync")
        ovn_ports.bind(self._daemons, CHASSIS)
        self._ask("--wait=sb", "sync")
        _start_controller(self._daemons)
        ovn_ports.await_zones(self._daemons, count, _HELD_SECONDS)
        self._daemons.kill("ovn-controller")
        _start_controller(self._daemons)
        self._ask("--wait=hv", "sync")
        if ovn_ports.bound(self.bridge) != count:
            raise BenchmarkFailed(f"OVN: {ovn_ports.bound(self.bridge)} of {count} ports bound")
        return time.monotonic() - began

    def change(self, service: int, port: int) -> None:
        """Give a container of a service another port; returns when the switch has confirmed."""
        self._ask("--wait=hv", *_changed(service, port))

    def change_by_process(self, service: int, port: int) -> None:
        """The same by an ovn-nbctl that is started, and hands it to the one that runs."""
        environment = f"OVN_NB_DAEMON={self._daemons.control('ovn-nbctl')}"
        self._daemons.run("env", environment, "ovn-nbctl", "--wait=hv", *_changed(service, port))

    def cold(self) -> float:
        """Seconds from the start of ovn-controller until an empty switch has confirmed all.

        The southbound database is full before, and ports are bound: ovn-controller is killed, which
        leaves them so. Nothing but the controller and the rules is new.
        """
        wanted = held(self.bridge)
        self._daemons.kill("ovn-controller")
        emptied(self.bridge)
        self._ask("--wait=sb", "sync")
        number = self._ask("get", "NB_Global", ".", "nb_cfg").strip()
        with self._confirmed(number) as waiting:
            began = time.monotonic()
            _start_controller(self._daemons)
            code = waiting.wait(_HELD_SECONDS)
            took = time.monotonic() - began
        if code:
            raise BenchmarkFailed(f"ovn-sbctl wait-until: exit code {code}")
        if held(self.bridge) != wanted:
            raise BenchmarkFailed(f"OVN: {held(self.bridge)} flows and groups, not {wanted}")
        return took

    @contextmanager
    def _confirmed(self, number: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that ends when the chassis has confirmed this generation; it looks already."""
        command = ["ovn-sbctl", "wait-until", "Chassis_Private", CHASSIS, f"nb_cfg={number}"]
        waiting = subprocess.Popen(command, env=self._daemons.environment)
        try:
            time.sleep(1.0)
            yield waiting
        finally:
            waiting.kill()
            waiting.wait()

    def _ask(self, *arguments: str) -> str:
        return self._daemons.ask("ovn-nbctl", "run", f"--timeout={_HELD_SECONDS}", *arguments)


@contextmanager
def running_ovn() -> Iterator[Ovn]:
    """It runs inside the body, without services.

    Raises BenchmarkFailed where something is not installed or does not start.
    """
    for program, package in (("ovn-northd", "ovn-central"), ("ovn-controller", "ovn-host")):
        if shutil.which(program) is None:
            raise BenchmarkFailed(f"{program} is not installed: apt-get install {package}")
    with tempfile.TemporaryDirectory(prefix="pw-ovn-", dir="/tmp") as directory:
        daemons = Daemons(Path(directory))
        try:
            _start_switch(daemons)
            _start_central(daemons)
            _start_controller(daemons)
            daemons.run("ovn-sbctl", "--timeout=30", "wait-until", "Chassis_Private", CHASSIS)
            peer = Ovn(daemons)
            for command in _network():
                daemons.ask("ovn-nbctl", "run", *command)
            yield peer
        finally:
            daemons.close()


def _start_switch(daemons: Daemons) -> None:
    _start_database(daemons, "conf", _OVS_SCHEMA, "db.sock")
    database = daemons.socket("db.sock")
    daemons.run("ovs-vsctl", "--no-wait", f"--db={database}", "init")
    inside = ["unshare", "--net"]  # its taps are not the machine's
    daemons.start("ovs-vswitchd", "ovs-vswitchd", database, within=inside)
    ids = {
        "system-id": CHASSIS,
        "hostname": CHASSIS,
        "ovn-remote": daemons.socket("ovnsb_db.sock"),
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": "127.0.0.1",
        "ovn-monitor-all": "true",
    }
    command = ["ovs-vsctl", "--timeout=30", f"--db={database}", "set", "Open_vSwitch", "."]
    command += [f'external_ids:{key}="{value}"' for key, value in ids.items()]
    command += ["--", "add-br", "br-int", "--", "set", "Bridge", "br-int"]
    command += ["datapath_type=netdev", "fail_mode=secure"]
    for port in range(PORTS):
        command += ["--", "add-port", "br-int", f"p{port}", "--", "set", "Interface", f"p{port}"]
        command += ["type=internal", f"external_ids:iface-id=p{port}"]
    daemons.run(*command)


def _start_central(daemons: Daemons) -> None:
    for name in ("nb", "sb"):
        _start_database(daemons, name, _OVN_SCHEMAS / f"ovn-{name}.ovsschema", f"ovn{name}_db.sock")
    north, south = daemons.socket("ovnnb_db.sock"), daemons.socket("ovnsb_db.sock")
    daemons.start("ovn-northd", "ovn-northd", f"--ovnnb-db={north}", f"--ovnsb-db={south}")
    daemons.start_detached("ovn-nbctl", "ovn-nbctl", f"--db={north}")
    daemons.ask("ovn-nbctl", "run", "init")


def _start_database(daemons: Daemons, name: str, schema: Path, socket: str) -> None:
    file = daemons.directory / f"{name}.db"
    daemons.run("ovsdb-tool", "create", str(file), str(schema))
    daemons.start(f"{name}-db", "ovsdb-server", str(file), f"--remote=p{daemons.socket(socket)}")


def _start_controller(daemons: Daemons) -> None:
    daemons.start("ovn-controller", "ovn-controller", daemons.socket("db.sock"), asked=False)


def _network() -> list[list[str]]:
    """What ovn-nbctl is to do: a switch with the group of all services, and its router."""
    made = ["ls-add", "sw", "--", "lr-add", "ro", "--", "set", "Logical_Router", "ro"]
    made += [
        f"options:chassis={CHASSIS}",
        "--",
        "lrp-add",
        "ro",
        "ro-sw",
        _ROUTER_MAC,
        "10.0.0.1/8",
    ]
    made += ["--", "lsp-add", "sw", "sw-ro", "--", "lsp-set-type", "sw-ro", "router"]
    made += ["--", "lsp-set-addresses", "sw-ro", "router"]
    made += ["--", "lsp-set-options", "sw-ro", "router-port=ro-sw"]
    group = ["--id=@all", "create", "Load_Balancer_Group", "name=all"]
    group += ["--", "set", "Logical_Switch", "sw", "load_balancer_group=@all"]
    return [["--no-wait", *made], ["--no-wait", *group]] + [
        ["--no-wait", "lsp-add", "sw", f"p{port}"] for port in range(PORTS)
    ]


def _added(services: range) -> list[str]:
    """Load balancers, as members of the group."""
    command: list[str] = []
    for service in services:
        command += [f"--id=@l{service}", "create", "Load_Balancer", f"name=s{service}"]
        command += ["protocol=tcp", f'vips:"{vip(service)}:80"="{_backends(service, PORT)}"', "--"]
    members = [f"@l{service}" for service in services]
    return [*command, "add", "Load_Balancer_Group", "all", "load_balancer", *members]


def _changed(service: int, port: int) -> list[str]:
    """The first container of a service has another port."""
    address = f"{vip(service)}:80"
    return ["--may-exist", "lb-add", f"s{service}", address, _backends(service, port)]


def _backends(service: int, port: int) -> str:
    """All containers of a service, the first at `port`."""
    others = [f"{backend(service, number)}:{PORT}" for number in range(1, CONTAINERS)]
    return ",".join([f"{backend(service, 0)}:{port}", *others])
