"""What faults are caused in: a network, prewire over it, its clients, and how it is made whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests.chaos import traffic
from tests.chaos.deployment import ChaosDeployment, deployed
from tests.chaos.ledger import Ledger
from tests.chaos.traffic import Traffic
from tests.chaos.writer import SERVICES, body_of, held_value
from tests.fabric.site import FabricSite
from tests.places import short_directory
from tests.waiting import had_s
from topologies import openvswitch
from topologies.mininet_net import RunningNetwork
from topologies.mininet_net import running as running_network
from topologies.processes import run
from topologies.shapes import leaf_spine

PROBE: Final = "/v1/services/probe/containers/p"
_TRY_S: Final = 1.0
_REST_S: Final = 0.1
_BEGIN_S: Final = 120.0
_HEALTH: Final = {"kind": "tcp", "interval_ms": 300, "timeout_ms": 300, "rise": 1, "fall": 2}


@dataclass
class World:
    """undo: what a fault leaves to be undone when programming has recovered."""

    net: RunningNetwork
    up: ChaosDeployment
    site: FabricSite
    traffic: Traffic
    ledger: Ledger
    undo: ExitStack = field(default_factory=ExitStack)
    probes: int = 0

    def programmed(self, since_s: float, most_s: float) -> float | None:
        """Seconds that the machine had from then until a write is on all switches; None: never."""
        while True:
            if self._probe():
                return had_s() - since_s
            if had_s() - since_s > most_s:
                return None
            time.sleep(_REST_S)

    def written(self, timeout_s: float, **given: str) -> httpx.Response:
        """The answer of a REST server to a write of something new."""
        self.probes += 1
        client = self.up.rest.clients[self.probes % len(self.up.rest.clients)]
        host = self.site.container("c1")
        body = {"address": host.address, "port": 9000, "iface_id": "c1"}
        body["weight"] = 1 + self.probes % 200
        return client.put(PROBE, json=body, params=given, timeout=timeout_s)

    def _probe(self) -> bool:
        """Whether all switches, connected, acknowledge a write soon."""
        try:
            if not self.written(_TRY_S, wait="applied", timeout=str(_TRY_S)).is_success:
                return False
        except httpx.HTTPError:
            return False
        switches = self.up.rest.told("/v1/status", _TRY_S).get("switches", [])
        connected = [switch for switch in switches if switch["connected"]]
        return len(connected) >= len(self.net.spec.switches)

    def ended_by_themselves(self) -> list[str]:
        """Processes of prewire that nobody killed."""
        ended = [each for each in self.up.running if each.child and each.child.process.poll()]
        said = [
            f"{each.name} ended with {each.child.process.poll()}" for each in ended if each.child
        ]
        servers = [s for s in self.up.cluster.servers if s.process and s.process.poll() is not None]
        return said + [f"database server {server.name} ended" for server in servers]

    def settle(self) -> None:
        """Have everything whole; AssertionError, ServerError where it does not become so."""
        self.undo.close()
        if not openvswitch.is_running():
            start_switches()
        self.up.repair()
        self.site.repair()
        for name in self.site.containers:
            if name not in self.traffic.servers:
                self.traffic.serve(name)
        self.up.await_led()
        self.up.await_fabric(self.net.spec)
        self.traffic.await_held()


def start_switches() -> None:
    """ovs-vswitchd and its database, whichever does not run."""
    run(
        [str(openvswitch.OVS_CTL), "start", "--system-id=random", "--no-record-hostname"],
        timeout_s=60,
    )


@contextmanager
def made(leaves: int) -> Iterator[World]:
    """All of it, whole, with services and connections that are held."""
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        stack.enter_context(openvswitch.ensure_running())
        net = stack.enter_context(
            running_network(leaf_spine(2, leaves, containers=2, clients=leaves))
        )
        stack.callback(_leave_switches)
        up = stack.enter_context(_told(directory))
        net.fabric.connect(up.targets)
        up.await_fabric(net.spec)
        site = FabricSite(net, up, vip=traffic.VIP)
        world = World(net, up, site, stack.enter_context(traffic.running(site)), Ledger())
        stack.callback(world.undo.close)
        _serve(world)
        world.traffic.begin()
        yield world


@contextmanager
def _told(directory: Path) -> Iterator[ChaosDeployment]:
    try:
        with deployed(directory) as up:
            yield up
    except Exception:
        log = directory / "prewire.log"
        if log.exists():
            print(log.read_text("utf-8", "replace")[-6000:])  # noqa: T201 - all that is left of it
        raise


def _leave_switches() -> None:
    """So that the network can be removed."""
    if not openvswitch.is_running():
        start_switches()


def _serve(world: World) -> None:
    """Services and the containers that hold connections."""
    held = {"vip": traffic.VIP, "port": traffic.PORT, "health": _HEALTH}
    services = {traffic.SERVICE: held, "probe": {"vip": "10.0.0.99", "port": 80}}
    services |= {f"churn{n}": {"vip": f"10.0.0.{110 + n}", "port": 80} for n in range(SERVICES)}
    for name, body in services.items():
        _put(world, f"/v1/services/{name}", body)
    for name in world.site.containers:
        key, value = (traffic.SERVICE, name), held_value(world.site.container(name))
        world.ledger.begin(key, value)
        _put(world, f"/v1/services/{traffic.SERVICE}/containers/{name}", body_of(value))
        world.ledger.acknowledge(key)
    began = had_s()
    assert world.programmed(began, _BEGIN_S) is not None, "nothing can be programmed"


def _put(world: World, path: str, body: dict[str, object]) -> None:
    answer = world.up.http.put(path, json=body)
    assert answer.is_success, f"PUT {path}: {answer.status_code} {answer.text}"
