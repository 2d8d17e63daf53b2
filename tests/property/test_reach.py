"""Who reaches whom through the rules of one switch: every kind of service, both families.

Services and containers are drawn by feature: several ports, a container's port behind several
VIPs, containers that call their own VIP, direct access beside the VIP, no conntrack at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.health import health_iface
from gateway_lb.neighbours import VIP_MAC
from gateway_lb.pipeline import group_id
from gateway_lb.replies import Front, fronts_of
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.policy import Ejection, ExtraPort
from nib.records import Record, SlotTable
from nib.topology import Host, Port, Switch
from openflow.families import PROTOCOLS
from openflow.fields import FIELDS, MAC
from openflow.packet import ACK, FIN, RST, SYN, SYN_ACK, Packet
from openflow.packet import packet as packet_of
from openflow.values import Rules
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from ryu_apps.diff import desired_of
from tests.nib_strategies import HERE, SWITCHES, examples
from tests.traffic import (
    Client,
    Dialogue,
    Where,
    Wire,
    another_client,
    client_rows,
    same_outside,
    slot_choices,
)

CLIENT = Client()
HEALTH = Port(HERE, "health", 70, "02:00:00:00:00:70", health_iface(HERE), "02:70:77:00:00:02")


@dataclass(frozen=True)
class Site:
    """Services, each with its containers, on one switch."""

    view: Mirror
    wire: Wire

    @property
    def fronts(self) -> list[Front]:
        """Every port of a VIP with every container behind it."""
        return [
            front
            for service in self.view.all(Service)
            for container in self.view.containers_of(service.name)
            for front in fronts_of(service, container)
        ]

    def place(self, front: Front) -> Where:
        """Where packets for a front's container leave the switch."""
        container = front.container
        port = int(container.mac[-2:], 16)
        return Where(container.mac, container.address, front.target, port)

    def reached(self, dialogue: Dialogue) -> list[Where]:
        """Where connections go, for every different choice of the service's group."""
        found = []
        for number, choose in enumerate(slot_choices(self.wire, group_id(dialogue.service))):
            each = replace(dialogue, client=another_client(dialogue.client, 1 + number))
            where = each.established(choose)
            assert where is not None, f"{dialogue.service.name}:{dialogue.port} does not answer"
            found.append(where)
        return found


def site_of(services: list[Service], containers: list[Container], *ports: Port) -> Site:
    view = Mirror()
    stations = {int(each.mac[-2:], 16) for each in containers}
    behind = [Port(HERE, f"v{n}", n, f"02:00:00:00:02:{n:02x}", f"pod-{n}") for n in stations]
    rows: list[Record] = [SWITCHES[HERE], *services, *containers, *behind, *ports]
    rows += client_rows(CLIENT, HERE)
    for row in rows:
        view.apply(RowChange(None, row))
    for service in services:
        dealt = next_slots(service.name, view, 0)
        assert dealt is not None
        view.apply(RowChange(None, dealt))
    return Site(view, Wire(rules_of(view)))


def rules_of(view: Mirror) -> Rules:
    desired = desired_of(compile_state(view, view.need(Switch, HERE)).values())
    return Rules(tuple(desired.flows.values()), tuple(desired.groups.values()))


# ------------------------------------------------------------------------------- strategies

STATIONS = (1, 2, 3)
EXTRA = ((), (ExtraPort(443, 8443),), (ExtraPort(81, 8080),), (ExtraPort(53, 53, "udp"),))


def container_at(station: int, service: Service, number: int, port: int = 8080) -> Container:
    address = f"fd01::{station}" if ":" in service.vip else f"10.0.1.{station}"
    mac = f"02:00:00:00:01:{station:02x}"
    iface = f"pod-{station}"
    return Container(service.name, f"c{station}", address, port, mac, iface_id=iface, number=number)


@st.composite
def sites(draw: st.DrawFn, *, modes: tuple[str, ...] = ("stateful",)) -> Site:
    """One to three services of one family at one or two VIPs, over the same three stations."""
    prefix = draw(st.sampled_from(("10.0.0.", "fd00::")))
    numbers = count(1)
    services, containers = [], []
    ports = draw(st.permutations((80, 8000, 9000)))
    for name, port in zip(("web", "api", "dns"), ports[: draw(st.integers(1, 3))], strict=False):
        service = Service(
            name,
            prefix + draw(st.sampled_from(("100", "101"))),
            port,
            draw(st.sampled_from(("tcp", "udp"))),
            next(numbers),
            extra_ports=draw(st.sampled_from(EXTRA)) if name == "web" else (),
            mode=draw(st.sampled_from(modes)),
            policy=draw(st.sampled_from(("weighted", "source_affinity"))),
        )
        if service.protocol == "tcp" and draw(st.booleans()):
            service = replace(service, ejection=Ejection())
        services.append(service)
        target = draw(st.sampled_from((8080, 9090)))
        for station in draw(st.sets(st.sampled_from(STATIONS), min_size=1)):
            containers.append(container_at(station, service, next(numbers), target))
    return site_of(services, containers)


def stateless_sites() -> st.SearchStrategy[Site]:
    return sites(modes=("stateless",)).filter(_no_port_is_shared)


def _no_port_is_shared(site: Site) -> bool:
    targets = [(f.container.address, f.protocol, f.target) for f in site.fronts]
    return len(set(targets)) == len(targets)


def fronts_asked(site: Site) -> Iterator[tuple[Dialogue, list[Where]]]:
    """A dialogue with every port of every VIP, and where it may lead."""
    for service in site.view.all(Service):
        for _, port, protocol in service.fronts:
            leading = [
                site.place(front)
                for front in site.fronts
                if front.service == service and (front.port, front.protocol) == (port, protocol)
            ]
            yield Dialogue(site.wire, CLIENT, service, port, protocol), leading


def by_number(places: list[Where]) -> list[Where]:
    return sorted(places, key=lambda where: where.port)


# ------------------------------------------------------------------------------- properties


@given(sites())
@examples(0.4)
def test_every_port_of_a_vip_reaches_each_of_its_containers_and_is_answered(site: Site) -> None:
    for number, (dialogue, leading) in enumerate(fronts_asked(site)):
        client = replace(dialogue.client, port=20_000 + 100 * number)
        reached = site.reached(replace(dialogue, client=client))
        assert by_number(reached) == by_number(leading)


@given(stateless_sites())
@examples(0.3)
def test_without_conntrack_every_port_reaches_its_containers_and_is_answered(site: Site) -> None:
    """The same packet chooses the same slot again; answers go to their station."""
    for dialogue, leading in fronts_asked(site):
        for choose in slot_choices(site.wire, group_id(dialogue.service)):
            where = dialogue.opened(choose)
            assert where in leading
            sent = site.wire.send(dialogue.reply(where, SYN_ACK))
            assert sent is not None
            assert sent.port == CLIENT.in_port
            vip = FIELDS[dialogue.family.src].form.read(dialogue.service.vip)
            assert sent.packet[dialogue.family.src] == vip
            assert sent.packet[f"{dialogue.protocol}_src"] == dialogue.port
            assert sent.packet["eth_src"] == MAC.read(VIP_MAC)
    assert not site.wire.conntrack.connections


@given(sites(), st.data())
@examples(0.3)
def test_a_container_that_calls_its_own_vip_reaches_itself(site: Site, data: st.DataObject) -> None:
    front = data.draw(st.sampled_from(site.fronts))
    own, service = front.container, front.service
    station = int(own.mac[-2:], 16)
    wire = site.wire.programmed(_only(site, own))
    itself = Client(station, 33_000, own.address, own.address, own.mac)
    dialogue = Dialogue(wire, itself, service, front.port, front.protocol)
    for flags in (SYN, ACK):
        sent = wire.send(dialogue.given(flags))
        assert sent is not None
        assert sent.port == station
        assert sent.packet["eth_dst"] == MAC.read(own.mac)
        family = front.family
        assert sent.packet[family.src] == FIELDS[family.src].form.read(service.vip)
        assert sent.packet[family.dst] == FIELDS[family.dst].form.read(own.address)
        assert sent.packet[f"{front.protocol}_dst"] == front.target
        # its answer, to the VIP, comes back to it as the VIP's
        answer = turned(sent.packet, front.protocol).having(
            in_port=station, eth_src=MAC.read(own.mac), eth_dst=MAC.read(VIP_MAC)
        )
        if front.protocol == "tcp":
            answer = answer.having(tcp_flags=SYN_ACK if flags == SYN else ACK)
        back = wire.send(_outside(answer))
        assert back is not None
        assert back.port == station
        asked = dialogue.given(flags)
        for name in (family.src, family.dst, f"{front.protocol}_src", f"{front.protocol}_dst"):
            assert back.packet[name] == turned(asked, front.protocol)[name], name


def _only(site: Site, container: Container) -> Rules:
    """Rules with all slots of its service leading to one container."""
    table = SlotTable(container.service, (container.number,) * 64)
    site.view.apply(RowChange(site.view.get(SlotTable, container.service), table))
    return rules_of(site.view)


@given(sites(), st.data())
@examples(0.3)
def test_direct_access_beside_the_vip_is_forwarded_both_ways(
    site: Site, data: st.DataObject
) -> None:
    """Also from a port that has just closed a connection to the VIP."""
    front = data.draw(st.sampled_from(site.fronts))
    before = data.draw(st.booleans())
    client = another_client(CLIENT, 7)
    wire = site.wire.programmed(_only(site, front.container))
    dialogue = Dialogue(wire, client, front.service, front.port, front.protocol)
    where = site.place(front)
    if before and front.protocol == "tcp":
        assert dialogue.established() == where
        closing = data.draw(st.sampled_from((RST, FIN | ACK)))
        assert wire.send(dialogue.given(closing)) is not None
        assert dialogue.answered(where, FIN | ACK) or closing == RST
        assert wire.send(dialogue.given(ACK)) is not None
    for flags in (SYN, ACK):
        asked = direct(front, client, flags)
        sent = wire.send(asked)
        assert sent is not None
        assert (sent.port, _outside(sent.packet)) == (where.port, asked)
        answer = turned(asked, front.protocol).having(in_port=where.port)
        if front.protocol == "tcp":
            answer = answer.having(tcp_flags=SYN_ACK if flags == SYN else ACK)
        back = wire.send(answer)
        assert back is not None
        assert (back.port, _outside(back.packet)) == (CLIENT.in_port, answer)


@given(sites(), st.data())
@examples(0.3)
def test_connections_survive_when_their_containers_port_becomes_shared(
    site: Site, data: st.DataObject
) -> None:
    """The oldest service's; replies find their way even before the client's next packet."""
    dialogues = {}
    for number, (dialogue, _) in enumerate(fronts_asked(site)):
        each = replace(dialogue, client=another_client(CLIENT, 300 + number))
        where = each.established()
        assert where is not None
        dialogues[each] = where
    front = data.draw(st.sampled_from(site.fronts))
    newcomer = Service("new", front.service.vip, 12_000, front.protocol, 900)
    twin = replace(front.container, service="new", port=front.target, number=901)
    shared_before = _sharers(site, front) > 1
    rows: list[Record] = [newcomer, twin]
    for row in rows:
        site.view.apply(RowChange(None, row))
    wire = site.wire.programmed(rules_of(site.view))
    for dialogue, where in dialogues.items():
        again = replace(dialogue, wire=wire)
        if not shared_before:
            assert again.answered(where, ACK)
        assert again.more() == where
        assert again.answered(where, ACK)


def _sharers(site: Site, front: Front) -> int:
    there = Counter((f.container.address, f.protocol, f.target) for f in site.fronts)
    return there[front.container.address, front.protocol, front.target]


@given(sites())
@examples(0.2)
def test_udp_of_a_container_that_is_gone_goes_to_another_and_tcp_is_told(site: Site) -> None:
    for number, (dialogue, _) in enumerate(fronts_asked(site)):
        each = replace(dialogue, client=another_client(CLIENT, 500 + number))
        where = each.established()
        assert where is not None
        gone = next(
            front.container
            for front in site.fronts
            if front.service == dialogue.service and site.place(front) == where
        )
        left = [c for c in site.view.containers_of(dialogue.service.name) if c != gone]
        wire = site.wire.programmed(_without(site, gone))
        each = replace(each, wire=wire)
        if dialogue.protocol == "tcp":
            assert each.told(ACK)
        elif left:
            other = each.more()
            assert other is not None
            assert other != where
            assert each.answered(other)
            assert each.more() == other
        else:
            assert each.told()


def _without(site: Site, container: Container) -> Rules:
    view = Mirror()
    for kind in (Switch, Service, Port, Host, Container):
        for row in site.view.all(kind):
            if row != container:
                view.apply(RowChange(None, row))
    for service in view.all(Service):
        dealt = next_slots(service.name, view, 0)
        assert dealt is not None
        view.apply(RowChange(None, dealt))
    return rules_of(view)


@given(sites())
@examples(0.2)
def test_checks_of_the_node_agent_go_both_ways(site: Site) -> None:
    """From the health port with the VIP's address; answers that are nobody's come back there."""
    site.view.apply(RowChange(None, HEALTH))
    wire = site.wire.programmed(rules_of(site.view))
    assert HEALTH.attached_mac is not None
    agent = MAC.read(HEALTH.attached_mac)
    for front in site.fronts:
        if front.protocol != "tcp":
            continue
        vip = replace(CLIENT, address=front.service.vip, address6=front.service.vip)
        asked = direct(front, vip, SYN).having(in_port=HEALTH.number, eth_src=agent)
        sent = wire.send(asked)
        assert sent is not None
        assert sent.port == site.place(front).port
        answer = turned(asked, "tcp").having(
            in_port=site.place(front).port, eth_dst=MAC.read(VIP_MAC), tcp_flags=SYN_ACK
        )
        back = wire.send(answer)
        assert back is not None
        assert back.port == HEALTH.number
        assert same_outside(back.packet, answer.having(eth_dst=agent))


# ------------------------------------------------------------------------------- packets


def direct(front: Front, client: Client, flags: int) -> Packet:
    """From a client to a container's own address."""
    v6 = ":" in front.container.address
    fields: dict[str, int | str] = {
        "in_port": client.in_port,
        "eth_src": client.mac,
        "eth_dst": front.container.mac,
        front.family.src: client.address6 if v6 else client.address,
        front.family.dst: front.container.address,
        f"{front.protocol}_src": client.port,
        f"{front.protocol}_dst": front.target,
    }
    if front.protocol == "tcp":
        fields["tcp_flags"] = flags
    return packet_of(eth_type=front.family.eth_type, ip_proto=PROTOCOLS[front.protocol], **fields)


def turned(packet: Packet, protocol: str) -> Packet:
    """The packet's answer, as far as headers go."""
    family = ("ip_src", "ip_dst") if "ip_src" in packet else ("ipv6_src", "ipv6_dst")
    pairs = (("eth_src", "eth_dst"), family, (f"{protocol}_src", f"{protocol}_dst"))
    swapped = {one: packet[other] for a, b in pairs for one, other in ((a, b), (b, a))}
    return packet.having(**swapped)


def _outside(packet: Packet) -> Packet:
    """Without what stays inside the switch."""
    inside = {name: 0 for name in packet if name.startswith(("reg", "xxreg", "ct_", "metadata"))}
    return packet.having(**inside)
