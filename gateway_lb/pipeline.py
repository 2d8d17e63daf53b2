"""From services and containers to flows and groups.

A new connection to a VIP chooses a slot of the service's group; conntrack remembers the chosen
container's number and where the client is; flows rewrite the headers, forth and back. There is no
`ct(nat)`: it keeps stale reverse entries under port reuse, and connections from one busy client
then fail. Replies return to the port and MAC address the connection came from, so that nothing
depends on MAC learning.

A packet from a container's port is looked up as if it were a reply; where conntrack knows no such
connection, its own source is restored and it goes its way (direct access beside the VIP).

Must not know: how slots are dealt, how flows are sent, any switch beyond a zone and port numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final

from nib.records import Container, Service
from openflow import tables
from openflow.cookies import GROUP_IDS, Cookie, Kind
from openflow.fields import (
    ARP_REPLY,
    ARP_REQUEST,
    CLIENT_MAC,
    CLIENT_PORT,
    CT_MARK,
    ENDPOINT,
    ETH_ARP,
    ETH_IP,
    IN_PORT_NUMBER,
    OUT_PORT,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    REPLY_PORT,
    REPLY_SOURCE,
    Subfield,
    whole,
)
from openflow.values import (
    IN_PORT,
    Action,
    Bucket,
    Ct,
    Flow,
    Goto,
    Group,
    Match,
    Move,
    Output,
    Resubmit,
    Rules,
    SetField,
    ToGroup,
    match,
    set_field,
)

# The MAC address that every VIP answers ARP with; locally administered.
VIP_MAC: Final = "02:70:77:00:00:01"

PROTOCOLS: Final = {"tcp": PROTO_TCP, "udp": PROTO_UDP}

# How much of a UDP client's port takes part in the choice of a slot: enough to reach all 256, and
# no more, for the switch keeps a fast-path entry for each value.
_HASHED_BITS: Final = 10
_UDP_HASH: Final = Move(Subfield("udp_src", 0, _HASHED_BITS), Subfield("ip_dst", 0, _HASHED_BITS))

_ECHO_REQUEST: Final = 8
_ECHO_REPLY: Final = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A container and the OpenFlow port it is behind here; None: not behind this switch."""

    container: Container
    port: int | None


def base_rules() -> Rules:
    """Flows that every switch holds, whatever the services."""
    return Rules((_recall(), _known_reply(), *(_unknown_reply(name) for name in PROTOCOLS)))


def vip_rules(vip: str) -> Rules:
    """A VIP answers ARP and ping; what no service of it takes is dropped, never flooded."""
    cookie = Cookie(Kind.VIP, int(IPv4Address(vip))).value
    origin = f"vip {vip}"
    echo = (
        Move(whole("eth_src"), whole("eth_dst")),
        set_field("eth_src", VIP_MAC),
        Move(whole("ip_src"), whole("ip_dst")),
        set_field("ip_src", vip),
        set_field("icmp_type", _ECHO_REPLY),
        Output(IN_PORT),
    )
    to_vip = match(eth_type=ETH_IP, ip_dst=vip)
    ping = match(eth_type=ETH_IP, ip_proto=PROTO_ICMP, ip_dst=vip, icmp_type=_ECHO_REQUEST)
    table = tables.CONNTRACK.number
    return Rules(
        (
            _arp_answer(vip, VIP_MAC, cookie, origin),
            Flow(table, 60, ping, echo, cookie, origin=origin),
            Flow(table, 50, to_vip, (), cookie, origin=origin),
        )
    )


def host_rules(address: str, mac: str) -> Rules:
    """A container's address is answered in the switch; its host is not asked."""
    cookie = Cookie(Kind.HOST, int(IPv4Address(address))).value
    return Rules((_arp_answer(address, mac, cookie, f"container address {address}"),))


def service_rules(
    service: Service, containers: Sequence[Placed], slots: Sequence[int], zone: int
) -> Rules:
    """All a service needs in one switch.

    containers: those that may still have connections, ready and draining; slots: container numbers
    by slot (gateway_lb.slots); zone: the switch's conntrack zone.
    """
    flows = [_entry(service, zone), _choice(service)]
    for placed in containers:
        flows += _container_flows(service, placed, zone)
    return Rules(tuple(flows), (service_group(service, slots),))


def group_id(service: Service) -> int:
    """The id of a service's group in every switch."""
    return GROUP_IDS.start + service.number


def service_group(service: Service, slots: Sequence[int]) -> Group:
    """The select group of a service: bucket id = slot. No slots: new connections are dropped."""
    buckets = tuple(_bucket(number) for number in slots)
    return Group(group_id(service), "select", buckets, origin=f"service {service.name}")


@lru_cache(maxsize=4096)
def _bucket(number: int) -> Bucket:
    """A choice of a container; kept, because a table repeats it up to 256 times."""
    return Bucket((SetField(ENDPOINT, number), Resubmit(tables.REMEMBER.number)))


def _on_service(service: Service, **also: int | str) -> Match:
    """Packets to the service's VIP and port."""
    fields: dict[str, int | str] = {
        "eth_type": ETH_IP,
        "ip_proto": PROTOCOLS[service.protocol],
        "ip_dst": service.vip,
        f"{service.protocol}_dst": service.port,
    }
    return match(**fields, **also)


def _entry(service: Service, zone: int) -> Flow:
    return Flow(
        tables.CONNTRACK.number,
        100,
        _on_service(service),
        (Ct(zone, table=tables.SERVICE.number),),
        Cookie(Kind.SERVICE, service.number).value,
        origin=f"service {service.name}",
    )


def _choice(service: Service) -> Flow:
    """A new connection's slot. For UDP, part of the client's port goes into the address first.

    Open vSwitch hashes addresses and, for TCP alone, ports: without this all that one client sends
    by UDP would go to one container. `_remember` puts the VIP back.
    """
    group = ToGroup(group_id(service))
    actions = (group,) if service.protocol == "tcp" else (_UDP_HASH, group)
    return Flow(
        tables.SERVICE.number,
        100,
        _on_service(service, ct_state="+new+trk"),
        actions,
        Cookie(Kind.SERVICE, service.number).value,
        origin=f"service {service.name}",
    )


@lru_cache(maxsize=1 << 16)
def _container_flows(service: Service, placed: Placed, zone: int) -> tuple[Flow, ...]:
    """A container's own flows; kept, because a change to one container recompiles its service."""
    container = placed.container
    cookie = Cookie(Kind.CONTAINER, container.number).value
    origin = f"container {service.name}/{container.id}"
    packets: dict[str, int | str] = {
        "eth_type": ETH_IP,
        "ip_proto": PROTOCOLS[service.protocol],
    }
    chosen = match(**packets, **{ENDPOINT.field: container.number})
    source: dict[str, int | str] = {
        "ip_src": container.address,
        f"{service.protocol}_src": container.port,
    }
    rows = (
        (tables.REMEMBER, 100, chosen, _remember(service, zone)),
        (tables.ENDPOINT, 100, chosen, _to_container(service, placed)),
        (tables.CONNTRACK, 80, match(**packets, **source), _as_vip(service, zone)),
    )
    return tuple(
        Flow(table.number, priority, on, actions, cookie, origin=origin)
        for table, priority, on, actions in rows
    )


def _remember(service: Service, zone: int) -> tuple[Action, ...]:
    restored = () if service.protocol == "tcp" else (set_field("ip_dst", service.vip),)
    kept = (
        Move(ENDPOINT, CT_MARK),
        Move(whole("eth_src"), CLIENT_MAC),
        Move(IN_PORT_NUMBER, CLIENT_PORT),
    )
    return *restored, Ct(zone, commit=True, exec=kept), Goto(tables.ENDPOINT.number)


def _to_container(service: Service, placed: Placed) -> tuple[Action, ...]:
    container = placed.container
    headers = (
        set_field("eth_dst", container.mac),
        set_field("ip_dst", container.address),
        set_field(f"{service.protocol}_dst", container.port),
    )
    if placed.port is None:
        return *headers, Goto(tables.FORWARD.number)
    return *headers, SetField(OUT_PORT, placed.port), Goto(tables.OUTPUT.number)


def _as_vip(service: Service, zone: int) -> tuple[Action, ...]:
    port = f"{service.protocol}_src"
    return (
        Move(whole("ip_src"), REPLY_SOURCE),
        Move(whole(port), REPLY_PORT),
        set_field("ip_src", service.vip),
        set_field(port, service.port),
        Ct(zone, table=tables.REPLY.number),
    )


def _base_flow(table: tables.Table, priority: int, on: Match, actions: tuple[Action, ...]) -> Flow:
    cookie = Cookie(Kind.BASE, 0).value
    return Flow(table.number, priority, on, actions, cookie, origin="base: load balancing")


def _recall() -> Flow:
    """An established connection goes to the container that conntrack remembers."""
    established = match(eth_type=ETH_IP, ct_state="+est+trk")
    actions = (Move(CT_MARK, ENDPOINT), Goto(tables.ENDPOINT.number))
    return _base_flow(tables.SERVICE, 50, established, actions)


def _known_reply() -> Flow:
    """A reply goes back the way its connection came, from the VIP's MAC address."""
    actions = (
        set_field("eth_src", VIP_MAC),
        Move(CLIENT_MAC, whole("eth_dst")),
        Move(CLIENT_PORT, OUT_PORT),
        Goto(tables.OUTPUT.number),
    )
    return _base_flow(tables.REPLY, 100, match(eth_type=ETH_IP, ct_state="+est+rpl+trk"), actions)


def _unknown_reply(protocol: str) -> Flow:
    """What is no reply to a VIP's connection leaves from the address it really has."""
    actions = (
        Move(REPLY_SOURCE, whole("ip_src")),
        Move(REPLY_PORT, whole(f"{protocol}_src")),
        Goto(tables.FORWARD.number),
    )
    return _base_flow(
        tables.REPLY, 50, match(eth_type=ETH_IP, ip_proto=PROTOCOLS[protocol]), actions
    )


def _arp_answer(address: str, mac: str, cookie: int, origin: str) -> Flow:
    actions = (
        Move(whole("eth_src"), whole("eth_dst")),
        set_field("eth_src", mac),
        set_field("arp_op", ARP_REPLY),
        Move(whole("arp_sha"), whole("arp_tha")),
        set_field("arp_sha", mac),
        Move(whole("arp_spa"), whole("arp_tpa")),
        set_field("arp_spa", address),
        Output(IN_PORT),
    )
    asked = match(eth_type=ETH_ARP, arp_op=ARP_REQUEST, arp_tpa=address)
    return Flow(tables.ARP.number, 100, asked, actions, cookie, origin=origin)
