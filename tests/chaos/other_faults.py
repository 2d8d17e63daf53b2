"""Links, switches and connections that fail, and what nobody should send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from tests.chaos import garbage
from tests.chaos.fault import Fault, Since
from tests.chaos.lossy import lossy_controller
from tests.chaos.world import World
from tests.fabric.relay import relay
from tests.waiting import until
from topologies import openvswitch

_SLOW_S: Final = 0.5
_LOST: Final = 0.25
_FLOOD_S: Final = 1.0
_GARBAGE_S: Final = (5.0, 7.0)

Cause = Callable[[World, Random], Any]


@contextmanager
def _link_cut(world: World, random: Random) -> Iterator[None]:
    link = random.choice(world.net.spec.trunks)
    world.net.fabric.cut(link.a, link.b)
    yield
    world.net.fabric.mend(link.a, link.b)


@contextmanager
def _spine_lost(world: World, random: Random) -> Iterator[None]:
    spine = _switch(world, random, "spine")
    world.net.fabric.lose(spine)
    yield
    world.net.fabric.restore(spine)


def _switch(world: World, random: Random, kind: str) -> str:
    return random.choice([name for name in world.site.switches if name.startswith(kind)])


def _restarted(kind: str) -> Cause:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        world.net.fabric.restart(_switch(world, random, kind))
        yield

    return cause


@contextmanager
def _slow_switch(world: World, random: Random) -> Iterator[None]:
    """All that passes between one switch and the controller that leads takes half a second."""
    switch, leader = random.choice(world.site.switches), world.up.leader
    slow = world.undo.enter_context(relay(leader.settings.controller_port))
    _connect_by(world, switch, f"tcp:127.0.0.1:{slow.port}", leader.target)
    slow.delay_s = _SLOW_S
    yield
    slow.delay_s = 0.0


@contextmanager
def _packet_loss(world: World, random: Random) -> Iterator[None]:
    """A quarter of the packets between two switches and the controller that leads are lost."""
    leader = world.up.leader
    to = lossy_controller(leader.settings.controller_port, random)
    target, loss = world.undo.enter_context(to)
    for switch in random.sample(world.site.switches, 2):
        _connect_by(world, switch, target, leader.target)
    loss.share = _LOST
    yield
    loss.share = 0.0
    assert loss.lost, "no packet was lost"


def _connect_by(world: World, switch: str, target: str, instead_of: str) -> None:
    """Have a switch reach a controller another way; undone when programming has recovered."""
    targets = world.up.targets
    bridge = world.site.bridge_of(switch)
    ways = [target if each == instead_of else each for each in targets]
    openvswitch.set_controllers(bridge, ways)
    world.undo.callback(openvswitch.set_controllers, bridge, targets)
    until(lambda: world.site.masters(switch), lambda found: found == [target], "it leads that way")
    world.up.await_fabric(world.net.spec)


def _garbage(addresses: Callable[[World], list[garbage.Address]], pieces: garbage.Pieces) -> Cause:
    @contextmanager
    def cause(world: World, random: Random) -> Iterator[None]:
        sent = [(address, pieces(random)) for address in addresses(world)]

        def send() -> None:
            for address, what in sent:
                garbage.send(address, what)
                garbage.flood(address, _FLOOD_S)

        sending = threading.Thread(target=send)
        sending.start()
        try:
            yield
        finally:
            sending.join()

    return cause


def _openflow_ports(world: World) -> list[garbage.Address]:
    return [("127.0.0.1", each.settings.controller_port) for each in world.up.controllers]


def _rest_ports(world: World) -> list[garbage.Address]:
    return [("127.0.0.1", each.settings.api_port) for each in world.up.apis]


def _grpc_ports(world: World) -> list[garbage.Address]:
    return [("127.0.0.1", world.up.others["predictor"].settings.predictor_port)]


def _metrics_ports(world: World) -> list[garbage.Address]:
    return [("127.0.0.1", each.settings.metrics_port) for each in world.up.controllers]


def _ovsdb_sockets(world: World) -> list[garbage.Address]:
    return [str(server.files.socket) for server in world.up.cluster.servers]


def _raft_sockets(world: World) -> list[garbage.Address]:
    return [server.address.removeprefix("unix:") for server in world.up.cluster.servers]


def other_faults() -> list[Fault]:
    """All of them."""
    sent = {
        "OpenFlow ports": (_openflow_ports, garbage.openflow),
        "REST ports": (_rest_ports, garbage.http),
        "metrics ports": (_metrics_ports, garbage.http),
        "gRPC port": (_grpc_ports, garbage.grpc),
        "OVSDB sockets": (_ovsdb_sockets, garbage.ovsdb),
        "RAFT sockets": (_raft_sockets, garbage.ovsdb),
    }
    return [
        Fault("link cut", _link_cut, (2.0, 4.0)),
        Fault("spine lost", _spine_lost, (2.0, 4.0), Since.END),
        Fault("leaf restarted, empty", _restarted("leaf"), (0.0, 0.0), Since.END),
        Fault("spine restarted, empty", _restarted("spine"), (0.0, 0.0), Since.END),
        Fault("slow switch", _slow_switch, (4.0, 6.0), Since.END),
        Fault("packet loss on the control channel", _packet_loss, (4.0, 6.0), Since.END),
        *(
            Fault(f"garbage on {name}", _garbage(addresses, pieces), _GARBAGE_S, Since.THROUGHOUT)
            for name, (addresses, pieces) in sent.items()
        ),
    ]
