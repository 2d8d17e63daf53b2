"""What faults are caused in: a network, prewire over it, its clients, and how it is made whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import traffic
from tests.chaos.deployment import ChaosDeployment, deployed
from tests.chaos.ledger import Ledger
from tests.chaos.probe import Probe
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

_BEGIN_S: Final = 120.0
_HEALTH: Final = {"kind": "tcp", "interval_ms": 1000, "timeout_ms": 1000, "rise": 1, "fall": 3}
"""Slower than a switch restarts: containers that nobody reached meanwhile are not held for dead."""


@dataclass
class World:
    """undo: what a fault leaves to be undone when programming has recovered.

    replaced: members of the database that had to be, since they could not be started again.
    """

    net: RunningNetwork
    up: ChaosDeployment
    site: FabricSite
    traffic: Traffic
    ledger: Ledger
    probe: Probe
    undo: ExitStack = field(default_factory=ExitStack)
    replaced: int = 0

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
        probe = Probe(up.rest, _probed(site), len(net.spec.switches))
        world = World(net, up, site, stack.enter_context(traffic.running(site)), Ledger(), probe)
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
    assert world.probe.programmed(began, _BEGIN_S) is not None, "nothing can be programmed"


def _probed(site: FabricSite) -> dict[str, object]:
    """The container whose weight changes with each probe."""
    return {"address": site.container("c1").address, "iface_id": "c1"}


def _put(world: World, path: str, body: dict[str, object]) -> None:
    answer = world.up.http.put(path, json=body)
    assert answer.is_success, f"PUT {path}: {answer.status_code} {answer.text}"
