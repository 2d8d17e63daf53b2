"""What switches answer for the addresses of VIPs and containers: ARP, neighbour discovery, ping.

A solicitation becomes an advertisement in two tables, because a flow may write the fields of an
advertisement only where it matches one. Nothing is asked of the address's host, and nothing of the
controller.

Must not know: services' ports, slots, conntrack.
"""

from __future__ import annotations

from typing import Final

from nib.fields import is_ipv6
from openflow import tables
from openflow.cookies import Cookie, Kind
from openflow.families import IPV6, address_number, family_of
from openflow.fields import (
    ARP_REPLY,
    ARP_REQUEST,
    ETH_ARP,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    OUT_PORT,
    PROTO_ICMPV6,
    PROTO_TCP,
    whole,
)
from openflow.flow_rows import Fields
from openflow.values import (
    FROM_NOWHERE,
    IN_PORT,
    Action,
    Flow,
    Goto,
    Match,
    Move,
    Output,
    Rules,
    SetField,
    match,
    set_field,
)

# The MAC address that every VIP is resolved to; locally administered.
VIP_MAC: Final = "02:70:77:76:69:70"

# Flags of a neighbour advertisement (RFC 4861 section 4.4): solicited, override.
_SOLICITED_OVERRIDE: Final = 0x6000_0000
_SOURCE_OPTION: Final = 1
_TARGET_OPTION: Final = 2

_SOLICITATION: Final[Fields] = {
    "eth_type": IPV6.eth_type,
    "ip_proto": PROTO_ICMPV6,
    "icmpv6_type": ND_SOLICITATION,
    "icmpv6_code": 0,
}


def base_rules() -> Rules:
    """The second half of every advertisement: the option that names the MAC address, if it has one.

    A unicast solicitation may come without the option; so does then its answer. Who has no address
    yet asks whether one is free (RFC 4862 section 5.4): nobody answers, for addresses are given out
    by whoever starts containers.
    """
    advertised: Fields = {
        "eth_type": IPV6.eth_type,
        "ip_proto": PROTO_ICMPV6,
        "icmpv6_type": ND_ADVERTISEMENT,
        "icmpv6_code": 0,
    }
    named = (
        set_field("nd_options_type", _TARGET_OPTION),
        Move(whole("eth_src"), whole("nd_tll")),
        Output(IN_PORT),
    )
    cookie = Cookie(Kind.BASE, 0).value
    origin = "base: neighbour discovery"
    table = tables.ADVERTISE.number
    with_option = match(**advertised, nd_options_type=_SOURCE_OPTION)
    is_it_free = match(**_SOLICITATION, ipv6_src=0)
    return Rules(
        (
            Flow(
                tables.ARP.number,
                110,
                is_it_free,
                (),
                cookie,
                origin=origin,
            ),
            Flow(table, 100, with_option, named, cookie, origin=origin),
            Flow(table, 90, match(**advertised), (Output(IN_PORT),), cookie, origin=origin),
        )
    )


def vip_rules(vip: str, health_port: tuple[int, str] | None = None) -> Rules:
    """A VIP is resolved and answers ping. What no service of it takes is dropped, never flooded.

    health_port: OpenFlow port and MAC address of the node agent's interface in this switch. It
    gets the answers to its checks, and TCP to ports without a service, which it refuses.
    """
    cookie = Cookie(Kind.VIP, address_number(vip)).value
    origin = f"vip {vip}"
    family = family_of(vip)
    to_vip: Fields = {"eth_type": family.eth_type, family.dst: vip}
    ping = match(**to_vip, ip_proto=family.icmp, **{family.icmp_type: family.echo_request})
    echo = (
        Move(whole("eth_src"), whole("eth_dst")),
        set_field("eth_src", VIP_MAC),
        Move(family.source, family.destination),
        set_field(family.src, vip),
        set_field(family.icmp_type, family.echo_reply),
        Output(IN_PORT),
    )
    table = tables.CONNTRACK.number
    flows = [
        answer(vip, VIP_MAC, cookie, origin),
        Flow(table, 60, ping, echo, cookie, origin=origin),
        Flow(table, 50, match(**to_vip), (), cookie, origin=origin),
    ]
    if health_port is not None:
        flows += _to_health_port(to_vip, health_port, cookie, origin)
    return Rules(tuple(flows))


def host_answer(address: str, mac: str) -> Flow:
    """A container's address is resolved in the switch."""
    cookie = Cookie(Kind.HOST, address_number(address)).value
    return answer(address, mac, cookie, f"container address {address}")


def _to_health_port(to_vip: Fields, port: tuple[int, str], cookie: int, origin: str) -> list[Flow]:
    number, mac = port
    deliver = (
        set_field("eth_dst", mac),
        SetField(OUT_PORT, number),
        FROM_NOWHERE,
        Goto(tables.OUTPUT.number),
    )
    closed = match(**to_vip, ip_proto=PROTO_TCP)
    onward = (Goto(tables.FORWARD.number),)
    return [
        Flow(tables.CONNTRACK.number, 55, closed, onward, cookie, origin=origin),
        Flow(tables.FORWARD.number, 100, match(**to_vip), deliver, cookie, origin=origin),
    ]


def answer(address: str, mac: str, cookie: int, origin: str) -> Flow:
    """Whoever asks for an address is told this MAC address."""
    on, actions = (_advertisement if is_ipv6(address) else _arp_reply)(address, mac)
    return Flow(tables.ARP.number, 100, on, actions, cookie, origin=origin)


def _arp_reply(address: str, mac: str) -> tuple[Match, tuple[Action, ...]]:
    return match(eth_type=ETH_ARP, arp_op=ARP_REQUEST, arp_tpa=address), (
        Move(whole("eth_src"), whole("eth_dst")),
        set_field("eth_src", mac),
        set_field("arp_op", ARP_REPLY),
        Move(whole("arp_sha"), whole("arp_tha")),
        set_field("arp_sha", mac),
        Move(whole("arp_spa"), whole("arp_tpa")),
        set_field("arp_spa", address),
        Output(IN_PORT),
    )


def _advertisement(address: str, mac: str) -> tuple[Match, tuple[Action, ...]]:
    return match(**_SOLICITATION, nd_target=address), (
        Move(whole("eth_src"), whole("eth_dst")),
        set_field("eth_src", mac),
        Move(whole("ipv6_src"), whole("ipv6_dst")),
        set_field("ipv6_src", address),
        set_field("icmpv6_type", ND_ADVERTISEMENT),
        set_field("nd_reserved", _SOLICITED_OVERRIDE),
        Goto(tables.ADVERTISE.number),
    )
