"""At every moment of an update of several switches a packet is delivered, and never in a circle.

Random fabrics of up to twelve switches: links come into use and out of it, machines are heard
elsewhere, containers move, all at once. Switches take the messages of the update in any order that
`ryu_apps.lockstep` leaves open. What is seen of links changes, the links themselves stay: what an
update cannot help is packets lost on a link that is cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.neighbours import VIP_MAC
from nib.intent import Service
from nib.mirror import Mirror
from nib.records import Record
from nib.topology import Host, Port, Switch
from openflow import tables
from openflow.cookies import ROUTE_IDS
from openflow.fields import ETH_IP, MAC, PROTO_TCP, PROTO_UDP
from openflow.network import Journey, Network, Place
from openflow.packet import SYN, Packet
from openflow.packet import packet as packet_of
from openflow.values import Flow, Group, Rules
from ryu_apps.compile import compile_state
from ryu_apps.diff import desired_of
from ryu_apps.lockstep import Lockstep, Steps
from ryu_apps.routing import Fabric, fabric_of
from ryu_apps.session import Applied, Program, ReadBack, Session
from ryu_apps.stations import all_stations, located
from ryu_apps.units import Unit
from tests.fabric_model import (
    containers,
    edge_places,
    fabric,
    fabrics,
    infrastructure,
    link_rows,
    mirror_of,
)
from tests.nib_strategies import examples
from tests.switch_model import Message, SwitchModel, copy_of, messages, rules_of, shown
from topologies.spec import NetworkSpec

WEB = Service("web", "10.0.255.100", 80, number=1)

_NOBODY_S: Final = 999

Units = dict[Unit, Rules]
Key = tuple[str, str]


@dataclass(frozen=True)
class Moment:
    """The database at one time, and what every switch shall hold."""

    view: Mirror
    units: dict[str, Units]
    ways: Fabric

    def place(self, mac: str) -> Place | None:
        """Where packets for a station leave."""
        port = located(mac, self.view)
        return None if port is None else Place(port.switch, port.number)

    def reaches(self, switch: str, mac: str) -> bool:
        """Whether there is a way from a switch to a station."""
        place = self.place(mac)
        if place is None:
            return False
        return place.switch == switch or self.ways.hops(switch, place.switch) is not None


@dataclass(frozen=True)
class Sketch:
    """What differs between moments: of links in the spec's order what is seen, and who is where."""

    links: tuple[str, ...]
    hosts: tuple[Place, ...]
    containers: tuple[Place, ...]


@st.composite
def sketches(draw: st.DrawFn, spec: NetworkSpec) -> Sketch:
    """Anything seen of links, all machines at edge ports, hosts never two behind one."""
    edge = sorted(edge_places(spec))
    fates = st.sampled_from(("used", "used", "used", "down", "unseen", "seen one way"))
    return Sketch(
        tuple(draw(fates) for _ in spec.trunks),
        tuple(draw(st.permutations(edge)))[: len(spec.hosts) - len(spec.containers)],
        tuple(draw(st.sampled_from(edge)) for _ in spec.containers),
    )


def moment(spec: NetworkSpec, sketch: Sketch) -> Moment:
    """The database as sketched."""
    rows: dict[Key, Record] = {}
    rest: list[Record] = [WEB]
    for row in infrastructure(spec):
        if isinstance(row, Port):
            rows[row.key] = row
        elif isinstance(row, Switch):
            rest.append(row)
    for link, fate in zip(spec.trunks, sketch.links, strict=True):
        seen = link_rows(spec, link)
        rest += seen[: {"unseen": 0, "seen one way": 1}.get(fate, 2)]
        port = rows[seen[0].key]
        if fate == "down" and isinstance(port, Port):
            rows[port.key] = replace(port, up=False)
    names = {
        Place(row.switch, row.number): row.name for row in rows.values() if isinstance(row, Port)
    }
    hosts = [host for host in spec.hosts if host.role != "container"]
    for host, place in zip(hosts, sketch.hosts, strict=True):
        rest.append(Host(host.mac, place.switch, names[place]))
    for container, place in zip(containers(spec, WEB), sketch.containers, strict=True):
        rest.append(
            replace(container, iface_id=None, switch=place.switch, switch_port=names[place])
        )
    view = mirror_of([*rows.values(), *rest])
    units = {each.dpid: compile_state(view, each) for each in view.all(Switch)}
    return Moment(view, units, fabric_of(view))


@st.composite
def updates(draw: st.DrawFn) -> tuple[NetworkSpec, Sketch, Sketch]:
    spec = draw(fabrics(12))
    return spec, draw(sketches(spec)), draw(sketches(spec))


class Update:
    """Switches that hold `before` and are brought to `after`, message by message."""

    def __init__(self, before: Moment, after: Moment) -> None:
        self._lockstep = Lockstep()
        self._peers: dict[str, SwitchModel] = {}
        self._queues: dict[str, deque[Message]] = {}
        self._after = after
        for dpid, units in before.units.items():
            held = copy_of(desired_of(units.values()))
            self._peers[dpid] = SwitchModel(held)
            assert self._lockstep.join(dpid, Session(units, 1)) == [(dpid, ReadBack())]
            assert self._lockstep.read(dpid, held) == [(dpid, Applied(1))]
        self.follow(self._lockstep.want(dict(self._changed(before, after)), 2))

    def take_one(self, random: Random) -> tuple[str, Message] | None:
        """One switch takes one message; None: all is done."""
        if not self._queues:
            return None
        dpid = random.choice(sorted(self._queues))
        queue = self._queues[dpid]
        message = queue.popleft()
        assert self._peers[dpid].take(message) is None
        if not queue:
            del self._queues[dpid]
            self.follow(self._lockstep.acknowledged(dpid, []))
        return dpid, message

    def rules(self, dpid: str) -> Rules:
        """What a switch holds."""
        return rules_of(self._peers[dpid].held)

    def follow(self, steps: Steps) -> None:
        for dpid, step in steps:
            if isinstance(step, Program):
                self._queues[dpid] = deque(messages(*step.batch))

    def check_done(self) -> None:
        """Every switch holds what is wanted."""
        for dpid, units in self._after.units.items():
            assert shown(self._peers[dpid].held) == shown(desired_of(units.values()))

    def _changed(self, before: Moment, after: Moment) -> Iterator[tuple[str, Units]]:
        for dpid, units in after.units.items():
            was = before.units[dpid]
            yield (
                dpid,
                {
                    unit: units.get(unit, Rules())
                    for unit in sorted(was.keys() | units.keys())
                    if was.get(unit) != units.get(unit)
                },
            )


@dataclass(frozen=True)
class Traffic:
    """Packets from everywhere to everybody, and where they may come out."""

    spec: NetworkSpec
    before: Moment
    after: Moment
    random: Random

    def check(self, network: Network, message: Message | None) -> None:
        """Those that the message may have to do with."""
        macs = self._touched(message)
        for entry in self._entries():
            for mac in macs:
                if self._is_live(entry, mac):
                    ends = self._send(network, entry, packet_to(mac))
                    self._check_end(ends, {self.before.place(mac), self.after.place(mac)}, mac)
            if self._live_containers(entry):
                ends = self._send(network, entry, first_packet())
                self._check_end(ends, self._places_of_containers(), "the VIP")

    def _send(self, network: Network, entry: Place, packet: Packet) -> Journey:
        return network.send(entry, packet, choose=self._any_bucket)

    def _any_bucket(self, _switch: str, group: Group, _packet: Packet) -> int:
        return self.random.randrange(len(group.buckets)) if group.buckets else 0

    def _check_end(self, journey: Journey, places: set[Place | None], whom: str) -> None:
        assert not journey.errors
        ends = [end for end in journey.ends if end.fate != "controller"]
        found = [(end.fate, end.place) for end in ends]
        assert len(found) == 1, f"to {whom}: {found}"
        assert found[0] in [("delivered", place) for place in places], (
            f"to {whom}: {found}, not {places}; by {ends[0].path}"
        )

    def _entries(self) -> Iterable[Place]:
        """An edge port of each switch that nobody is behind."""
        return (Place(switch, _NOBODY_S) for switch in self.before.units)

    def _touched(self, message: Message | None) -> list[str]:
        """The stations that a message changes the way to; of others some."""
        macs = sorted(all_stations(self.after.view))
        rule = message[1] if message is not None else None
        if isinstance(rule, Group) and rule.group_id in ROUTE_IDS:
            zone = rule.group_id - ROUTE_IDS.start
            return [mac for mac in macs if zone in self._zones(mac)]
        if isinstance(rule, Flow) and rule.table in (tables.FORWARD.number, tables.ARRIVE.number):
            to = rule.match.get("eth_dst")
            return [mac for mac in macs if to is not None and MAC.read(mac) == to.value]
        return self.random.sample(macs, 1)

    def _zones(self, mac: str) -> set[int]:
        """The numbers of the switches that a station was or will be at."""
        places = (self.before.place(mac), self.after.place(mac))
        view = self.after.view
        return {view.need(Switch, place.switch).ct_zone for place in places if place is not None}

    def _is_live(self, entry: Place, mac: str) -> bool:
        return self.before.reaches(entry.switch, mac) and self.after.reaches(entry.switch, mac)

    def _live_containers(self, entry: Place) -> bool:
        macs = [container.mac for container in self.after.view.containers_of("web")]
        return all(self._is_live(entry, mac) for mac in macs)

    def _places_of_containers(self) -> set[Place | None]:
        macs = [container.mac for container in self.after.view.containers_of("web")]
        return {moment.place(mac) for moment in (self.before, self.after) for mac in macs}


def packet_to(mac: str) -> Packet:
    """From somebody behind a switch to a station, beside any VIP."""
    return packet_of(
        eth_src="02:00:00:00:99:99",
        eth_dst=mac,
        eth_type=ETH_IP,
        ip_src="10.0.254.1",
        ip_dst="10.0.254.2",
        ip_proto=PROTO_UDP,
        udp_src=1000,
        udp_dst=2000,
    )


def first_packet() -> Packet:
    """Of a connection to the service."""
    return packet_of(
        eth_src="02:00:00:00:99:99",
        eth_dst=VIP_MAC,
        eth_type=ETH_IP,
        ip_src="10.0.254.1",
        ip_dst=WEB.vip,
        ip_proto=PROTO_TCP,
        tcp_src=1000,
        tcp_dst=80,
        tcp_flags=SYN,
    )


@given(updates(), st.integers(0, 2**32))
@examples(0.07)
def test_at_every_message_of_an_update_packets_are_delivered_and_never_loop(
    update: tuple[NetworkSpec, Sketch, Sketch], seed: int
) -> None:
    """From every switch that has a way to the station before and after the update."""
    spec, *sketched = update
    before, after = (moment(spec, sketch) for sketch in sketched)
    random = Random(seed)
    traffic = Traffic(spec, before, after, random)
    under_way = Update(before, after)
    network = fabric(spec, {dpid: under_way.rules(dpid) for dpid in before.units})
    traffic.check(network, None)
    while (taken := under_way.take_one(random)) is not None:
        dpid, message = taken
        network = network.programmed({dpid: under_way.rules(dpid)})
        traffic.check(network, message)
    under_way.check_done()
