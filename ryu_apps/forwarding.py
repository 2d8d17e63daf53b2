"""The flows that sort packets, bring them to the station they are for, and take them out of a port.

A port to another switch is a fabric port, every other an edge port. At an edge port packets are
load-balanced, and stations are heard; through the fabric packets only pass, until they have come to
their station's switch. Nothing is ever flooded: broadcast is answered in the switch, asked about by
the controller, or dropped.

Must not know: how paths are found (`ryu_apps.routing`), what services are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway_lb import neighbours
from nib.fields import is_ipv6
from openflow import tables
from openflow.cookies import METER_IDS, ROUTE_IDS, Cookie, Kind
from openflow.fields import (
    ARP_REQUEST,
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    OUT_PORT,
    PORT_KNOWN,
    PROTO_ICMPV6,
)
from openflow.flow_rows import Row, flows_of
from openflow.values import (
    CONTROLLER,
    Action,
    ApplyMeter,
    Bucket,
    Flow,
    Goto,
    Group,
    Match,
    Meter,
    Output,
    OutputField,
    Rules,
    SetField,
    ToGroup,
    match,
)
from ryu_apps.lldp import ETH_LLDP
from ryu_apps.routing import NO_WAY, Hops

# Packets a second that a switch may send to its controller, by what for.
PROBE_METER: Final = METER_IDS.start + 8  # link probes where no link is known yet
LEARN_METER: Final = METER_IDS.start + 9  # stations that speak where they are not known
ASK_METER: Final = METER_IDS.start + 10  # stations looking for one that nobody knows
UNKNOWN_METER: Final = METER_IDS.start + 11  # packets for a station that nobody knows
_TOLD_A_SECOND: Final = {
    PROBE_METER: 100,
    LEARN_METER: 500,
    ASK_METER: 200,
    UNKNOWN_METER: 500,
}
_TELLING: Final = {tables.LEARN: LEARN_METER, tables.FORWARD: UNKNOWN_METER}

_GROUP_BIT: Final = 1 << 40  # of a MAC address: broadcast and multicast have it (IEEE 802, 8.2)
_ND: Final = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6}
_SOLICITATIONS: Final = match(**_ND, icmpv6_type=ND_SOLICITATION, icmpv6_code=0)
_ADVERTISEMENTS: Final = match(**_ND, icmpv6_type=ND_ADVERTISEMENT, icmpv6_code=0)
_ASKING: Final = (_SOLICITATIONS, match(eth_type=ETH_ARP, arp_op=ARP_REQUEST))
_LINK_LOCAL: Final = (0xFE80 << 112, 0xFFC0 << 112)


def base_rules(database: int = 0) -> Rules:
    """Classification, output, and the lowest flow of every table.

    database: the number of the database that this is programmed from; it stands in the cookie of
    the last flow of table classify, so that no other database takes the switch for its own.
    """
    learn = Goto(tables.LEARN.number)
    told = (ApplyMeter(PROBE_METER), Output(CONTROLLER))
    asked = (ApplyMeter(ASK_METER), Output(CONTROLLER))
    source = Goto(tables.SOURCE.number)
    group_bit = match(eth_dst=(_GROUP_BIT, _GROUP_BIT))
    port_known = match(reg1=(1 << PORT_KNOWN.start, 1 << PORT_KNOWN.start))
    marker = _flow(tables.CLASSIFY, 0, match(), *_miss(tables.CLASSIFY), number=database)
    flows = (
        _flow(tables.CLASSIFY, 200, match(eth_type=ETH_LLDP), *told),
        _flow(tables.CLASSIFY, 110, _SOLICITATIONS, learn),
        _flow(tables.CLASSIFY, 110, _ADVERTISEMENTS, learn),
        _flow(tables.CLASSIFY, 100, match(eth_type=ETH_ARP), learn),
        _flow(tables.CLASSIFY, 100, match(eth_type=ETH_IP), source),
        _flow(tables.CLASSIFY, 100, match(eth_type=ETH_IPV6), source),
        *(_flow(tables.ARP, 10, asking, *asked) for asking in _ASKING),
        _flow(tables.FORWARD, 200, port_known, Goto(tables.OUTPUT.number)),
        _flow(tables.FORWARD, 20, group_bit),
        _flow(tables.OUTPUT, 100, match(), OutputField(OUT_PORT)),
        marker,
        *(_flow(table, 0, match(), *_miss(table)) for table in tables.PIPELINE[1:]),
    )
    meters = tuple(
        Meter(number, rate, rate, per_packet=True, origin="base: to the controller")
        for number, rate in _TOLD_A_SECOND.items()
    )
    return Rules(flows, (), meters)


def port_rules(fabric_ports: Iterable[int], health_port: int | None = None) -> Rules:
    """What comes in by the ports of one switch.

    A link's own probes have no meter: a host that floods LLDP must not end links.
    health_port: the node agent's, whose packets have VIPs as their source: no station to learn.
    """
    flows: list[Flow] = []
    for number in fabric_ports:
        probes = match(in_port=number, eth_type=ETH_LLDP)
        rows = [
            Row(tables.CLASSIFY, 210, probes, (Output(CONTROLLER),)),
            Row(tables.CLASSIFY, 150, match(in_port=number), (Goto(tables.ARRIVE.number),)),
        ]
        flows += flows_of(Kind.PORT, number, f"fabric port {number}", rows)
    if health_port is not None:
        checks = Row(tables.LEARN, 110, match(in_port=health_port), (Goto(tables.ARP.number),))
        flows += flows_of(Kind.PORT, health_port, f"health port {health_port}", [checks])
    return Rules(tuple(flows))


# ------------------------------------------------------------------------------- stations


@dataclass(frozen=True, slots=True)
class StationHere:
    """A station behind a port of this switch, and the addresses that it may speak from there."""

    port: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StationAway:
    """A station behind another switch. hops: how far that is, for the order of changes."""

    zone: int  # the conntrack zone of its switch, which numbers the way there
    hops: int


def station_rules(
    mac: str, place: StationHere | StationAway | None, learned: Iterable[str] = ()
) -> Rules:
    """All that one switch does about a station.

    place: None where nobody knows; learned: addresses that are resolved to it for whoever asks.
    """
    number = int(mac.replace(":", ""), 16) & 0xFFFF_FFFF
    cookie = Cookie(Kind.STATION, number).value
    origin = f"station {mac}"
    flows = [neighbours.answer(address, mac, cookie, origin) for address in learned]
    to_it = match(eth_dst=mac)
    match place:
        case StationHere():
            deliver = (SetField(OUT_PORT, place.port), Goto(tables.OUTPUT.number))
            here = (Goto(tables.CONNTRACK.number),)
            flows.append(Flow(tables.FORWARD.number, 80, to_it, deliver, cookie, origin=origin))
            flows.append(Flow(tables.ARRIVE.number, 100, to_it, here, cookie, origin=origin))
            known = (Goto(tables.ARP.number),)
            flows += [
                Flow(tables.LEARN.number, 100, on, known, cookie, origin=origin)
                for on in _spoken(mac, place)
            ]
        case StationAway():
            onward = (ToGroup(ROUTE_IDS.start + place.zone),)
            flows.append(
                Flow(
                    tables.FORWARD.number,
                    80,
                    to_it,
                    onward,
                    cookie,
                    origin=origin,
                    hops=place.hops,
                )
            )
    return Rules(tuple(flows))


def _spoken(mac: str, place: StationHere) -> list[Match]:
    """ARP and neighbour discovery that says nothing new about a station."""
    nd: dict[str, int | str | tuple[int, int]] = {**_ND, "in_port": place.port, "eth_src": mac}
    heard = [match(**nd, ipv6_src=_LINK_LOCAL)]
    for address in place.addresses:
        if not is_ipv6(address):
            on = match(eth_type=ETH_ARP, in_port=place.port, arp_sha=mac, arp_spa=address)
            heard.append(on)
        elif not ipaddress.ip_address(address).is_link_local:
            heard.append(match(**nd, ipv6_src=address))
    return heard


# ------------------------------------------------------------------------------- routes


def route_group(zone: int, hops: Hops | None, name: str) -> Group:
    """The way to another switch, by the conntrack zone that numbers it.

    Several equally short ones share what goes there; beside a single one stands its detour. A
    switch takes none whose port is down, before any controller knows of it.
    """
    group_id, origin = ROUTE_IDS.start + zone, f"route to {name}"
    if hops is None:
        return Group(group_id, "select", (), origin, NO_WAY)
    if len(hops.ports) > 1:
        buckets = tuple(_leaving(port) for port in hops.ports)
        return Group(group_id, "select", buckets, origin, hops.distance)
    in_turn = (hops.ports[0], *([] if hops.detour is None else [hops.detour]))
    return Group(group_id, "ff", tuple(map(_leaving, in_turn)), origin, hops.distance)


def _leaving(port: int) -> Bucket:
    return Bucket((Output(port),), watch_port=port)


# ------------------------------------------------------------------------------- every table


def _miss(table: tables.Table) -> tuple[Action, ...]:
    """What a packet does that no other flow of the table takes."""
    told = (ApplyMeter(_TELLING[table]), Output(CONTROLLER)) if table.tells else ()
    if table.miss == tables.DROP:
        return told
    return (*told, Goto(tables.table_number(table.miss)))


def _flow(table: tables.Table, priority: int, on: Match, *actions: Action, number: int = 0) -> Flow:
    cookie = Cookie(Kind.BASE, number).value
    return Flow(table.number, priority, on, actions, cookie, origin="base: forwarding")
