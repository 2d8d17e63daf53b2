"""A leaf-spine network with prewire in control, and what a test does to both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from openflow import tables
from openflow.cookies import GROUP_IDS
from tests.acceptance.site import Site
from tests.fabric.deployment import FabricDeployment
from tests.fabric.relay import relay
from tests.waiting import until
from topologies import openvswitch
from topologies.mininet_net import RunningNetwork
from topologies.processes import run
from topologies.spec import interface_name

# So many that hardly ever all of them take one of two ways.
FLOWS: Final = 16

_PROGRAMS: Final = Path(__file__).parent / "in_host"


class Stream:
    """A stream of datagrams; what came of it, when it has ended: one entry a flow."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.flows: list[dict[str, float]] = []
        self._process = process

    def goes_on(self) -> None:
        """Return when 50 more have come of every flow."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"more\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"more\n", "the stream has ended"

    @property
    def gap_ms(self) -> float:
        """The longest that any flow was without an answer."""
        return max(flow["gap_ms"] for flow in self.flows)

    @property
    def lost(self) -> int:
        """How many datagrams of all flows were not answered."""
        return int(sum(flow["sent"] - flow["answered"] for flow in self.flows))


@dataclass(frozen=True, slots=True)
class FabricSite(Site):
    """The network `net`, and `prewire` that controls its switches."""

    net: RunningNetwork

    @property
    def fabric(self) -> FabricDeployment:
        """prewire, with what a fabric's deployment can do besides."""
        assert isinstance(self.prewire, FabricDeployment)
        return self.prewire

    @property
    def clients(self) -> list[str]:
        """The client of each leaf."""
        return [host.name for host in self.net.spec.hosts if host.role == "client"]

    @property
    def containers(self) -> list[str]:
        """All containers."""
        return [host.name for host in self.net.spec.containers]

    def leaf_of(self, host: str) -> str:
        """The switch that a host is plugged into as the network was built."""
        return self.net.spec.switch_port(host)[0].name

    def dpid_of(self, switch: str) -> str:
        """Its datapath id."""
        return next(s.dpid_hex16 for s in self.net.spec.switches if s.name == switch)

    def bridge_of(self, switch: str) -> str:
        """Its bridge."""
        return next(s.bridge for s in self.net.spec.switches if s.name == switch)

    def switch(self, name: str) -> dict[str, Any]:
        """A switch as REST shows it."""
        answer = self.prewire.http.get(f"/v1/switches/{self.dpid_of(name)}")
        return dict(answer.raise_for_status().json())

    def dump(self, switch: str, what: str, *more: str) -> str:
        """What ovs-ofctl says of a switch: `dump("leaf1", "dump-flows")`."""
        return run(["ovs-ofctl", "-O", "OpenFlow13", what, self.bridge_of(switch), *more])

    def missing(self) -> int:
        """How many rules all switches lack, as read back when they are at rest."""
        asked = [f"/v1/switches/{self.dpid_of(switch)}/diff" for switch in self.switches]
        answers = [self.prewire.http.post(path).raise_for_status().json() for path in asked]
        return sum(int(answer["missing"]) for answer in answers)

    def repair(self) -> None:
        """Mend all links, and restore all switches."""
        for switch in self.switches:
            if not openvswitch.vsctl("get-controller", self.bridge_of(switch)).strip():
                self.net.fabric.restore(switch)
        for link in self.net.spec.links:
            if link.a in self.switches and link.b in self.switches:
                self.net.fabric.mend(link.a, link.b)

    @property
    def switches(self) -> list[str]:
        """All switches."""
        return [switch.name for switch in self.net.spec.switches]

    def hosts(self) -> list[dict[str, Any]]:
        """All stations as REST shows them."""
        return list(self.prewire.http.get("/v1/hosts").raise_for_status().json()["items"])

    def place_of(self, container: str) -> str | None:
        """The datapath id of the switch that a container is seen at."""
        mac = self.container(container).mac
        return next((host["switch"] for host in self.hosts() if host["mac"] == mac), None)

    def balanced(self, switch: str) -> int:
        """How many packets the groups of services chose a container for."""
        counts = self.dump(switch, "dump-group-stats")
        service = re.findall(r"group_id=(\d+),.*?packet_count=(\d+)", counts)
        return sum(int(count) for group, count in service if int(group) >= GROUP_IDS.start)

    def passed(self, switch: str) -> int:
        """How many packets a switch received at its ports."""
        counts = self.dump(switch, "dump-ports")
        return sum(int(count) for count in re.findall(r"rx pkts=(\d+)", counts))

    def forwarded(self, switch: str, host: str) -> int:
        """How many packets a switch passed on to a host."""
        on = f"table={tables.FORWARD.number},dl_dst={self.net.spec.host(host).mac}"
        found = re.findall(r"n_packets=(\d+)", self.dump(switch, "dump-flows", on))
        return sum(map(int, found))

    def received(self, host: str) -> int:
        """How many packets a host received."""
        interface = interface_name(host, 0)
        read = self.net.run(host, ["cat", f"/sys/class/net/{interface}/statistics/rx_packets"])
        return int(read.stdout)

    def move(self, container: str, switch: str) -> None:
        """Replug the only container of `web`; returns when all switches send to it there.

        Between two places it has none, and its service no container.
        """
        self._replug(container, switch)
        there = self.dpid_of(switch)
        until(
            lambda: self.place_of(container),
            lambda place: place == there,
            f"{container} is seen at {switch}",
        )
        self.await_slots({container: 64})
        until(lambda: self.prewire.status()["behind"], lambda behind: not behind, "all know it")

    def _replug(self, host: str, switch: str) -> None:
        """Take a host's cable from its switch, or where it is by now, to another one."""
        own, port = self.net.spec.switch_port(host)
        name = interface_name(own.name, port)
        spec = self.container(host)
        with suppress(subprocess.CalledProcessError):
            openvswitch.vsctl("del-port", name)
        openvswitch.vsctl(
            *("add-port", self.bridge_of(switch), name),
            *("--", "set", "Interface", name, f"external_ids:iface-id={host}"),
            f'external_ids:attached-mac="{spec.mac}"',
        )

    # ------------------------------------------------------------------ faults

    def limit_flows(self, switch: str, table: int, limit: int) -> None:
        """Have a switch refuse flows in a table that has so many."""
        limited = f"flow_limit={limit} overflow_policy=refuse".split()
        openvswitch.vsctl(
            *("--", "--id=@full", "create", "Flow_Table", *limited),
            *("--", "set", "Bridge", self.bridge_of(switch), f"flow_tables:{table}=@full"),
        )

    def unlimit_flows(self, switch: str) -> None:
        """Have it take all again."""
        openvswitch.vsctl("clear", "Bridge", self.bridge_of(switch), "flow_tables")

    @contextmanager
    def slowed(self, switch: str, seconds: float) -> Iterator[None]:
        """Inside the body what passes between a switch and the leader takes so long each way."""
        leader = self.fabric.leader
        others = [target for target in self.fabric.targets if target != leader.target]
        with relay(leader.settings.controller_port) as slow:
            targets = [f"tcp:127.0.0.1:{slow.port}", *others]
            openvswitch.vsctl("del-controller", self.bridge_of(switch))
            until(lambda: self.switch(switch)["connected"], lambda up: not up, f"{switch} is gone")
            openvswitch.set_controllers(self.bridge_of(switch), targets)
            self.fabric.await_fabric(self.net.spec)
            slow.delay_s = seconds
            yield
            slow.delay_s = 0.0
            openvswitch.set_controllers(self.bridge_of(switch), self.fabric.targets)
        self.fabric.await_fabric(self.net.spec)

    def forge_lldp(self, host: str) -> None:
        """Have a host send link probes that it heard, and some that it made up."""
        argv = [sys.executable, str(_PROGRAMS / "forge.py"), interface_name(host, 0)]
        done = self.net.run(host, argv, 60)
        heard, sent = map(int, done.stdout.split())
        assert heard, f"{host} heard no probe: {done.stderr}"
        assert sent >= 6

    @contextmanager
    def double_of(self, switch: str) -> Iterator[None]:
        """Inside the body another bridge has the same datapath id and wants to be controlled."""
        dpid, double = self.dpid_of(switch), "pw-double"
        settings = [f"other_config:datapath-id={dpid}", "datapath_type=netdev"]
        settings += ["fail_mode=secure", "protocols=OpenFlow13"]
        openvswitch.vsctl("add-br", double, "--", "set", "Bridge", double, *settings)
        try:
            openvswitch.set_controllers(double, self.fabric.targets)
            yield
        finally:
            openvswitch.vsctl("del-br", double)

    def masters(self, switch: str) -> list[str]:
        """The targets of the controllers that a switch takes for its master."""
        listed = run(["ovs-vsctl", "get", "Bridge", self.bridge_of(switch), "controller"])
        uuids = re.findall(r"[0-9a-f-]{36}", listed)
        rows = [run(["ovs-vsctl", "get", "Controller", uuid, "role", "target"]) for uuid in uuids]
        return [row.split()[1].strip('"') for row in rows if row.startswith("master")]

    def rules_of(self, switch: str) -> list[str]:
        """All that a switch holds, without counts."""
        flows = [
            re.sub(r"(duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*, ?", "", line).strip()
            for line in self.dump(switch, "dump-flows").splitlines()[1:]
        ]
        return sorted([*flows, *self.dump(switch, "dump-groups").splitlines()[1:]])

    # ------------------------------------------------------------------ traffic

    @contextmanager
    def stream(
        self, to: str, port: int, host: str = "client", flows: int = FLOWS, pace_ms: int = 8
    ) -> Iterator[Stream]:
        """Datagrams from a host to an echo server inside the body; what came of them afterwards."""
        argv = [to, str(port), str(flows), str(pace_ms)]
        with self._running("stream.py", host, *argv) as process:
            stream = Stream(process)
            yield stream
            stream.flows = _result_of(process)

    @contextmanager
    def listening(self, name: str, port: int, flows: int = FLOWS) -> Iterator[Stream]:
        """Datagrams of so many flows as they arrive at a host inside the body."""
        argv = [self.container(name).address, str(port), str(flows)]
        with self._running("listen.py", name, *argv) as process:
            stream = Stream(process)
            yield stream
            stream.flows = _result_of(process)

    @contextmanager
    def sending(self, to: str, port: int, host: str, flows: int = FLOWS) -> Iterator[None]:
        """Datagrams that nobody answers, one every 4 ms from each of some source ports."""
        with self._running("send.py", host, to, str(port), str(flows), "4") as process:
            yield
            _result_of(process)

    @contextmanager
    def _running(self, program: str, host: str, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE
        command = [sys.executable, str(_PROGRAMS / program), *argv]
        with self.net.popen(host, command, stdin=pipe, stdout=pipe) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", f"{program} in {host} has not begun"
            yield process


def _result_of(process: subprocess.Popen[bytes]) -> Any:
    out, _ = process.communicate(timeout=70)
    return json.loads(out)


def reachable(net: Any, host: str, address: str, within_s: int = 1) -> bool:
    """Whether one ping is answered in time."""
    wait = ("-W", str(within_s))
    return bool(net.run(host, ["ping", "-c", "1", *wait, address], 10).returncode == 0)
