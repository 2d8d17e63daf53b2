"""What the compiled rules do to packets, for any services and containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.lifecycle import is_ready
from gateway_lb.neighbours import VIP_MAC
from gateway_lb.pipeline import group_id
from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.records import Record, SlotTable
from nib.topology import Switch
from openflow.fields import ARP_REPLY, ETH_IP, FIELDS, IPV4, MAC
from openflow.packet import SYN, SYN_ACK, Packet, arp, icmp, tcp, udp
from openflow.packet import packet as packet_of
from openflow.values import CONTROLLER, Rules
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from ryu_apps.diff import desired_of
from ryu_apps.stations import located
from tests.nib_strategies import (
    HERE,
    STATIONS,
    THERE,
    Database,
    Edit,
    address_of,
    drain,
    edits,
    examples,
    histories,
    link_of,
    trunk_port,
)
from tests.strategies import packets
from tests.traffic import (
    TRUNK,
    Client,
    Dialogue,
    Where,
    Wire,
    another_client,
    client_rows,
    connection,
    same_outside,
    slot_choices,
)

CLIENT = Client()


def dealt(database: Database) -> Database:
    """With a client, a link to the other switch, and slot tables as the controller has them."""
    trunks = [trunk_port(HERE, "t1"), trunk_port(THERE, "t1")]
    links = [link_of(HERE, "t1"), link_of(THERE, "t1")]
    rows: list[Record] = [*trunks, *links, *client_rows(CLIENT, HERE)]
    for row in rows:
        database.mirror.apply(RowChange(None, row))
    for service in database.mirror.all(Service):
        table = next_slots(service.name, database.mirror)
        assert table is not None
        database.mirror.apply(RowChange(None, table))
    return database


def rules_of(database: Database) -> Rules:
    """What the switch here holds; ValueError where two units claim one key."""
    view = database.mirror
    desired = desired_of(compile_state(view, view.need(Switch, HERE)).values())
    return Rules(tuple(desired.flows.values()), tuple(desired.groups.values()))


def compiled(database: Database) -> Rules:
    """What the switch here holds when slots have been dealt."""
    return rules_of(dealt(database))


def place(container: Container, database: Database) -> Where:
    """Where this switch sends what is for the container; nobody knows: to the controller."""
    port = located(container.mac, database.mirror)
    leaves = CONTROLLER if port is None else port.number if port.switch == HERE else TRUNK
    return Where(container.mac, container.address, container.port, leaves)


def ready(service: Service, database: Database) -> list[Container]:
    """The containers that new connections may go to."""
    return [
        container
        for container in database.mirror.containers_of(service.name)
        if is_ready(container) and port_of(container, database.mirror) is not None
    ]


def clients() -> Iterator[Client]:
    """One host, connection after connection."""
    return (another_client(CLIENT, number) for number in count())


@dataclass(frozen=True)
class Talk:
    """An established connection, and the container that it was established with."""

    dialogue: Dialogue
    container: Container


def established(database: Database, wire: Wire) -> list[Talk]:
    """A connection to every container that takes one."""
    client = clients()
    talks = []
    for service in database.mirror.all(Service):
        by_place = {place(c, database): c for c in ready(service, database)}
        for choose in slot_choices(wire, group_id(service)):
            dialogue = connection(wire, next(client), service)
            where = dialogue.established(choose)
            assert where is not None, f"{service.name} does not answer"
            talks.append(Talk(dialogue, by_place[where]))
    return talks


def goes_on(talk: Talk, wire: Wire, container: Container, database: Database) -> None:
    """The next packet of the connection reaches the container, and so does its answer."""
    dialogue = connection(wire, talk.dialogue.client, talk.dialogue.service)
    there = place(container, database)
    if there.port == CONTROLLER:  # it lost its port
        assert dialogue.more() is None
    else:
        assert dialogue.more() == there
        assert dialogue.answered(there)


@given(histories())
@examples(0.2)
def test_a_new_connection_reaches_one_ready_container_and_is_answered(history: list[Edit]) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    talks = established(database, wire)
    for service in database.mirror.all(Service):
        reached = [talk.container for talk in talks if talk.dialogue.service == service]
        assert sorted(reached, key=str) == sorted(ready(service, database), key=str)
        if not reached:
            assert connection(wire, CLIENT, service).told()
    marks = {connection.mark for connection in wire.conntrack.connections.values()}
    assert marks == {talk.container.number for talk in talks}


@given(histories(), st.lists(edits, max_size=6))
@examples(0.2)
def test_a_connection_stays_with_its_container_whatever_else_changes(
    history: list[Edit], later: list[Edit]
) -> None:
    """Draining, moving, a new address and a lost port among it."""
    database = Database(history)
    wire = Wire(compiled(database))
    talks = established(database, wire)
    for edit in later:
        database.write(edit)
    wire = wire.programmed(compiled(database))
    for talk in talks:
        container = database.mirror.container_numbered(talk.container.number)
        if container is not None and _same_endpoint(talk.dialogue.service, database):
            goes_on(talk, wire, container, database)


def _same_endpoint(service: Service, database: Database) -> bool:
    now = database.mirror.get(Service, service.name)
    return now is not None and replace(now, generation=0) == replace(service, generation=0)


@given(histories(), st.data())
@examples(0.2)
def test_connections_survive_when_every_slot_leads_elsewhere(
    history: list[Edit], data: st.DataObject
) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    talks = established(database, wire)
    for service in database.mirror.all(Service):
        others = data.draw(st.sampled_from([(), *ready(service, database)]))
        slots = (others.number,) * 64 if isinstance(others, Container) else ()
        database.mirror.apply(RowChange(None, SlotTable(service.name, slots)))
    wire = wire.programmed(rules_of(database))
    for talk in talks:
        goes_on(talk, wire, talk.container, database)


@given(histories())
@examples(0.2)
def test_draining_takes_no_new_connection_and_keeps_those_it_has(history: list[Edit]) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    talks = established(database, wire)
    for talk in talks:
        database.write(Edit(drain, (talk.container.key, 60.0)))
    wire = wire.programmed(compiled(database))
    for talk in talks:
        container = database.mirror.need(Container, talk.container.key)
        assert not is_ready(container)
        goes_on(talk, wire, container, database)
        fresh = another_client(talk.dialogue.client, 1000)
        assert connection(wire, fresh, talk.dialogue.service).opened() is None


@given(histories())
@examples(0.2)
def test_access_beside_the_vip_keeps_its_own_source(history: list[Edit]) -> None:
    """The request is forwarded, and so is the reply, untouched."""
    database = Database(history)
    wire = Wire(compiled(database))
    for container in database.mirror.all(Container):
        for transport in (tcp, udp):
            where = place(container, database)
            request = between(transport, CLIENT, where, CLIENT.in_port)
            assert forwarded(wire, request, where.port)
            if where.port != CONTROLLER:
                reply = between(transport, where, CLIENT, where.port)
                assert forwarded(wire, reply, CLIENT.in_port)


@given(histories())
@examples(0.2)
def test_addresses_of_vips_and_containers_are_answered_in_the_switch(history: list[Edit]) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    known = {container.address: container.mac for container in database.mirror.all(Container)}
    known |= {service.vip: VIP_MAC for service in database.mirror.all(Service)}
    for address, mac in known.items():
        asked = arp_request(address)
        sent = wire.send(asked)
        assert sent is not None
        assert sent.port == CLIENT.in_port
        assert shown(sent.packet) == {
            "eth_src": mac,
            "eth_dst": CLIENT.mac,
            "arp_op": ARP_REPLY,
            "arp_sha": mac,
            "arp_spa": address,
            "arp_tha": CLIENT.mac,
            "arp_tpa": CLIENT.address,
        }
        answer = asked.having(arp_op=ARP_REPLY)
        assert wire.send(answer) is None, "broadcast passes"
    for station in STATIONS:
        if address_of(station) not in known:
            assert forwarded(wire, arp_request(address_of(station)), CONTROLLER)


def arp_request(address: str) -> Packet:
    return arp(
        in_port=CLIENT.in_port,
        eth_src=CLIENT.mac,
        eth_dst="ff:ff:ff:ff:ff:ff",
        arp_sha=CLIENT.mac,
        arp_spa=CLIENT.address,
        arp_tpa=address,
    )


def shown(packet: Packet) -> dict[str, int | str]:
    names = ("eth_src", "eth_dst", "arp_op", "arp_sha", "arp_spa", "arp_tha", "arp_tpa")
    return {
        name: FIELDS[name].form.show(packet[name]) if name != "arp_op" else packet[name]
        for name in names
    }


@given(histories())
@examples(0.2)
def test_a_vip_answers_ping(history: list[Edit]) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    for service in database.mirror.all(Service):
        ping = to_vip(icmp, service)
        sent = wire.send(ping)
        assert sent is not None
        assert sent.port == CLIENT.in_port
        assert sent.packet == ping.having(
            icmp_type=0,
            eth_src=MAC.read(VIP_MAC),
            eth_dst=MAC.read(CLIENT.mac),
            ip_src=IPV4.read(service.vip),
            ip_dst=IPV4.read(CLIENT.address),
        )
        assert wire.send(ping.having(icmp_type=13)) is None


@given(histories(), st.integers(1, 65535))
@examples(0.2)
def test_what_no_service_takes_of_a_vip_is_dropped_and_never_flooded(
    history: list[Edit], port: int
) -> None:
    database = Database(history)
    wire = Wire(compiled(database))
    for service in database.mirror.all(Service):
        for protocol, transport in (("tcp", tcp), ("udp", udp)):
            if database.mirror.service_at(service.vip, port, protocol) is None:
                packet = to_vip(transport, service, **{f"{protocol}_dst": port})
                assert wire.send(packet) is None
        other = packet_of(eth_type=ETH_IP, ip_proto=132, in_port=1, ip_dst=service.vip)
        assert wire.send(other) is None


def to_vip(transport: Callable[..., Packet], service: Service, **fields: int) -> Packet:
    return transport(
        in_port=CLIENT.in_port,
        eth_src=CLIENT.mac,
        eth_dst=VIP_MAC,
        ip_src=CLIENT.address,
        ip_dst=service.vip,
        **fields,
    )


@given(histories(), packets())
@examples(0.2)
def test_what_is_not_for_us_goes_to_its_station_or_nowhere(
    history: list[Edit], packet: Packet
) -> None:
    """Untouched; unless it happens to be for a VIP, or asks for an address of ours."""
    packet = packet.having(in_port=CLIENT.in_port)
    database = Database(history)
    wire = Wire(compiled(database))
    vips = {IPV4.read(service.vip) for service in database.mirror.all(Service)}
    ours = vips | {IPV4.read(container.address) for container in database.mirror.all(Container)}
    if packet.get("ip_dst") in vips or packet.get("arp_tpa") in ours:
        wire.send(packet)
        return
    sent = wire.send(packet)
    port = located(MAC.show(packet["eth_dst"]), database.mirror)
    if port is not None:
        where = port.number if port.switch == HERE else TRUNK
        assert sent is not None
        assert sent.port in (where, CONTROLLER)
    else:
        assert sent is None or sent.port == CONTROLLER
    assert sent is None or same_outside(sent.packet, packet)


@given(histories())
@examples(0.2)
def test_replies_of_containers_to_strangers_are_not_taken_for_a_vips(history: list[Edit]) -> None:
    """Conntrack knows a connection, but this container is not the one it is with."""
    database = Database(history)
    wire = Wire(compiled(database))
    for talk in established(database, wire):
        stranger = replace(talk.dialogue.client, address="10.9.0.77")
        where = place(talk.container, database)
        transport = udp if talk.dialogue.service.protocol == "udp" else tcp
        assert forwarded(wire, between(transport, where, stranger, where.port), CLIENT.in_port)


def between(
    transport: Callable[..., Packet], source: Client | Where, target: Client | Where, in_port: int
) -> Packet:
    """A packet from one to the other, as they see each other."""
    protocol = transport.__name__
    ports = [end.port_number if isinstance(end, Where) else end.port for end in (source, target)]
    flags = {"tcp_flags": SYN_ACK if isinstance(source, Where) else SYN}
    return transport(
        in_port=in_port,
        eth_src=source.mac,
        eth_dst=target.mac,
        ip_src=source.address,
        ip_dst=target.address,
        **{f"{protocol}_src": ports[0], f"{protocol}_dst": ports[1]},
        **(flags if protocol == "tcp" else {}),
    )


def forwarded(wire: Wire, packet: Packet, port: int) -> bool:
    """Whether the packet goes out by this port as it came."""
    sent = wire.send(packet)
    return sent is not None and sent.port == port and same_outside(sent.packet, packet)
