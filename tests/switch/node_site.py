"""A private switch with containers and the node agent, and a test that plays the controller.

The switch's flows are those that the controller would write, compiled from the database; REST and
the controller themselves do not run. Containers are network namespaces with a server each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway_lb.connections import open_connections
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.observed import Health
from nib.server import EmbeddedServer
from nib.topology import Host as NetworkHost
from nib.topology import Port, Switch
from openflow.text import flow_text, group_text, meter_text
from openflow.values import Rules, merged
from prewire.host.port import mac_of, outer_name
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from tests import commands
from tests.ovs import PrivateOvs
from tests.places import short_directory
from tests.waiting import until

ZONE: Final = 5
DPID: Final = f"{1:016x}"
BRIDGE: Final = "br0"
VIP: Final = "10.0.0.100"
CLIENT: Final = "10.0.0.250"
POLL_MS: Final = 100
TIED: Final = ("setpriv", "--pdeathsig", "KILL")


class Host:
    """A network namespace behind a port of the switch; run things in it."""

    def __init__(self, ovs: PrivateOvs, name: str, port: str, number: int, address: str) -> None:
        self.ovs = ovs
        self.name = name
        self.number = number
        self.address = address
        self.mac = f"02:00:00:00:00:{number:02x}"
        self._holder = subprocess.Popen(
            [*TIED, "unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self._join(f"{port}-peer")

    def command(self, *argv: str) -> list[str]:
        return [*TIED, "nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *argv]

    def run(self, *argv: str) -> str:
        return subprocess.run(
            self.command(*argv), check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _join(self, peer: str) -> None:
        length = "64" if ":" in self.address else "24"
        option = ["nodad"] if ":" in self.address else []
        self.ovs.run("ip", "link", "set", peer, "address", self.mac)
        self.ovs.run("ip", "link", "set", peer, "netns", str(self._holder.pid))
        self.run("ip", "link", "set", peer, "name", "eth0")
        self.run("ip", "address", "add", f"{self.address}/{length}", "dev", "eth0", *option)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ethtool", "-K", "eth0", "tx", "off")


class Server:
    """A health server that listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def say(self, status: str) -> None:
        """Its status from now on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{status}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for end in (self.process.stdin, self.process.stdout):
            assert end is not None
            end.close()


def joined_host(ovs: PrivateOvs, name: str, number: int, address: str) -> Host:
    """A new host behind port `number` of the bridge; its name is the interface's iface-id."""
    port = f"p-{name}"
    ovs.run("ip", "link", "add", port, "type", "veth", "peer", "name", f"{port}-peer")
    ovs.run("ip", "link", "set", "dev", port, "up")
    host = Host(ovs, name, port, number, address)
    ovs.vsctl(
        *("add-port", BRIDGE, port, "--", "set", "Interface", port, f"ofport_request={number}"),
        *(f"external_ids:iface-id={name}", f'external_ids:attached-mac="{host.mac}"'),
    )
    return host


def serve(host: Host, kind: str) -> Server:
    """A health server in a host, at port 8080."""
    argv = ("-m", "tests.switch.health_server", kind, host.address, "8080")
    return Server(host.popen(sys.executable, *argv))


class Site:
    """The switch, the database and the agent."""

    def __init__(self, ovs: PrivateOvs, nib: Nib, stack: ExitStack) -> None:
        self.ovs = ovs
        self.nib = nib
        self._stack = stack
        self._hosts: dict[str, Host] = {}
        self._generation = 0

    def host(self, name: str, address: str) -> Host:
        """A new host behind a port of its own; the database knows both."""
        # numbers above those that Open vSwitch gives of itself
        host = joined_host(self.ovs, name, len(self._hosts) + 101, address)
        self._stack.callback(host.close)
        self._hosts[name] = host
        port = Port(DPID, f"p-{name}", host.number, host.mac, name, host.mac, up=True)
        self.write(lambda draft: draft.put(port))
        learned = NetworkHost(host.mac, DPID, port.name, frozenset({address}))
        self.write(lambda draft: draft.put(learned))
        return host

    def serve(self, host: Host, kind: str) -> Server:
        """A health server in a host, at port 8080."""
        server = serve(host, kind)
        self._stack.callback(server.kill)
        return server

    def register(self, service: Service, **containers: Host) -> None:
        """As REST would: the service, and a container on each host at port 8080."""

        def change(draft: Draft) -> None:
            draft.put(service)
            for name, host in containers.items():
                draft.put(container(service, name, host))

        self.write(change)
        self.program()

    def program(self) -> None:
        """As the controller would: deal slots, write the switch's flows, acknowledge."""

        def deal(draft: Draft) -> None:
            for service in draft.all(Service):
                table = next_slots(service.name, draft, 0)
                if table is not None:
                    draft.put(table)

        self.write(deal)
        with self.nib.view() as view:
            switch = view.need(Switch, DPID)
            rules = merged(compile_state(view, switch).values())
            applied = replace(switch, applied=view.generation)
        self._install(rules)
        self.write(lambda draft: draft.put(applied))

    def _install(self, rules: Rules) -> None:
        self.ovs.ofctl("del-groups", BRIDGE)
        self.ovs.ofctl("del-meters", BRIDGE)
        for meter in rules.meters:
            self.ovs.ofctl("add-meter", BRIDGE, meter_text(meter, "ovs"))
        for kind, lines in (
            ("add-groups", [group_text(group, "ovs") for group in rules.groups]),
            ("replace-flows", [flow_text(flow, "ovs") for flow in rules.flows]),
        ):
            file = self.ovs.directory / kind
            file.write_text("".join(f"{line}\n" for line in lines))
            self.ovs.ofctl(kind, BRIDGE, str(file))

    def write(self, change: Callable[[Draft], object]) -> None:
        self.nib.write(change).result(60)

    def health(self, name: str, service: str = "web") -> tuple[bool, str] | None:
        """The verdict and its reason; None: no row."""
        with self.nib.view() as view:
            row = view.get(Health, (service, name))
        return None if row is None else (row.up, row.reason)

    def open(self, name: str, service: str = "web") -> int | None:
        """Connections in all switches; None: nobody counts."""
        with self.nib.view() as view:
            return open_connections((service, name), view)

    def await_health(self, name: str, up: bool | None, within_s: float = 10.0) -> str:
        """The reason, when the verdict is that."""
        found = until(
            lambda: self.health(name),
            lambda seen: (seen and seen[0]) == up,
            f"{name} is {up}",
            within_s,
        )
        return found[1] if found else ""

    def health_ports(self) -> list[str]:
        """Ports of the bridge that an agent put there."""
        found = self.ovs.vsctl(
            "--bare", "--columns=name", "find", "Interface", "external_ids:prewire=health"
        )
        return found.split()

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        """`prewire node` on the switch's host, with its port in the bridge and in the database."""
        log = self.ovs.directory / "node.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.agent_command(),
                env=self.agent_environment(),
                stdin=subprocess.DEVNULL,
                stderr=output,
                text=True,
            )
        try:
            self.await_port(process, log)
            yield process
        finally:
            process.terminate()
            process.wait(60)
            self.write(_without_health_port)

    def agent_command(self) -> list[str]:
        """`prewire node` in the network namespace of the switch."""
        where = f"--net=/proc/{self.ovs.vswitchd_pid}/ns/net"
        return [*TIED, "nsenter", where, *commands.command("node")]

    def agent_environment(self) -> dict[str, str]:
        """Its settings, and where the programs of Open vSwitch are."""
        settings = {
            "PREWIRE_NIB": self.nib.remote,
            "PREWIRE_SWITCH_DB": self.ovs.database,
            "PREWIRE_NODE_POLL_MS": str(POLL_MS),
            "PATH": self.ovs.environment["PATH"],
        }
        return commands.environment(settings)

    def await_port(self, process: subprocess.Popen[str], log: Path) -> None:
        """Do what discovery does once the agent's port is in the bridge."""

        def number() -> int | None:
            assert process.poll() is None, log.read_text()
            is_made = name in self.health_ports()
            if not is_made or "health port" not in log.read_text():  # of the agent before it
                return None
            found = json.loads(self.ovs.vsctl("get", "Interface", name, "ofport"))
            return found if isinstance(found, int) and found > 0 else None

        name, mac = outer_name(DPID), mac_of(DPID)
        found = until(number, bool, f"the health port is there; {log}", 60) or 0
        row = Port(DPID, name, found, mac, f"prewire-health-{DPID}", mac, up=True)
        self.write(lambda draft: draft.put(row))
        self.program()


def _without_health_port(draft: Draft) -> None:
    """What discovery does once the agent's port is gone."""
    if draft.get(Port, (DPID, outer_name(DPID))) is not None:
        draft.delete(Port, (DPID, outer_name(DPID)))


def container(service: Service, name: str, host: Host, **more: Any) -> Container:
    """A container at port 8080 of a host."""
    return Container(service.name, name, host.address, 8080, host.mac, iface_id=host.name, **more)


@contextmanager
def site() -> Iterator[Site]:
    """A switch that the database knows, without services."""
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        server = stack.enter_context(EmbeddedServer(directory))
        nib = stack.enter_context(Nib(server.remote, "test"))
        ovs = stack.enter_context(PrivateOvs("netdev"))
        ovs.add_bridge(BRIDGE, dpid=1)
        nib.write(lambda draft: draft.put(Switch(DPID, ZONE, BRIDGE, connected=True))).result(60)
        yield Site(ovs, nib, stack)
