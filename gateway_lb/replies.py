"""The way back: from a container's port to the VIP its connection was made to.

A packet from a container's port is looked up as if it were a reply; where conntrack knows no such
connection, its own source is restored and it goes its way (direct access beside the VIP).

Where a container's port stands behind one port of one VIP, its address says which. Where it stands
behind several, a second conntrack zone says: it tracks the same connections by the container's own
address. Only such ports pay for the second look.

All of it happens in the switch that the client's packets enter by: a reply comes there through
the fabric as the container sent it.

Must not know: slots, how a container is chosen, where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway_lb.neighbours import VIP_MAC, host_answer
from nib.intent import Container, Service
from openflow import tables
from openflow.cookies import Kind
from openflow.families import FAMILIES, PROTOCOLS, Family, address_number, family_of
from openflow.fields import (
    CLIENT_MAC,
    CLIENT_PORT,
    HAIRPIN,
    ORIGIN_PORT,
    OUT_PORT,
    PORT_KNOWN,
    REPLY_PORT,
    whole,
)
from openflow.flow_rows import Fields, Row, flows_of
from openflow.packet import ACK, RST, SYN, SYN_ACK
from openflow.values import (
    FROM_NOWHERE,
    Action,
    Ct,
    Flow,
    Goto,
    Match,
    Move,
    Rules,
    SetField,
    match,
    set_field,
)

# Added to a switch's conntrack zone: the zone of connections by containers' own addresses.
ORIGIN_ZONE: Final = 0x8000


@dataclass(frozen=True, slots=True)
class Front:
    """One port of a VIP that leads to a container's port: `port` of the service to `target`."""

    service: Service
    container: Container
    port: int
    protocol: str
    target: int

    @property
    def family(self) -> Family:
        return family_of(self.service.vip)

    @property
    def packets(self) -> Fields:
        """What all its packets have in common."""
        return {"eth_type": self.family.eth_type, "ip_proto": PROTOCOLS[self.protocol]}

    @property
    def from_target(self) -> Fields:
        """Packets that the container sends from this port."""
        own: Fields = {self.family.src: self.container.address, f"{self.protocol}_src": self.target}
        return {**self.packets, **own}

    @property
    def to_target(self) -> Fields:
        """Packets to the container's own address and this port."""
        own: Fields = {self.family.dst: self.container.address, f"{self.protocol}_dst": self.target}
        return {**self.packets, **own}


def fronts_of(service: Service, container: Container) -> list[Front]:
    """The ports of a service's VIP that lead to one of its containers."""
    return [Front(service, container, *each) for each in service.targets(container)]


def origin_zone(zone: int) -> int:
    """The zone that tracks connections by containers' own addresses, beside a switch's zone."""
    return zone | ORIGIN_ZONE


# ------------------------------------------------------------------------------- in every switch


def base_rules() -> Rules:
    """Replies that conntrack knows, and packets that turn out to be none.

    What conntrack finds invalid in a connection that it knows (its mark is not 0) goes the way of
    that connection: with the container's own address it would make the client reset it.
    """
    rows: list[Row] = []
    for family in FAMILIES:
        known = match(eth_type=family.eth_type, ct_state="+est+rpl+trk")
        invalid = match(eth_type=family.eth_type, ct_state="+inv+trk")
        rows.append(Row(tables.REPLY, 100, known, known_reply_actions()))
        rows.append(Row(tables.REPLY, 90, invalid, known_reply_actions()))
        for protocol in PROTOCOLS:
            rows += _unknown_replies(family, protocol, 60)
            rows += _unknown_replies(family, protocol, 95, ct_state="+inv+trk", ct_mark=0)
    return Rules(flows_of(Kind.BASE, 0, "base: load balancing", rows))


def known_reply_actions() -> tuple[Action, ...]:
    """A reply goes back the way its connection came, from the VIP's MAC address."""
    return (
        set_field("eth_src", VIP_MAC),
        Move(CLIENT_MAC, whole("eth_dst")),
        Move(CLIENT_PORT, OUT_PORT),
        SetField(PORT_KNOWN, 1),
        FROM_NOWHERE,
        Goto(tables.DESTINATION.number),
    )


def _unknown_replies(family: Family, protocol: str, priority: int, **state: int | str) -> list[Row]:
    """What is no reply to a VIP's connection leaves with the addresses it really has."""
    packets: Fields = {"eth_type": family.eth_type, "ip_proto": PROTOCOLS[protocol], **state}
    restored = (
        Move(family.saved, family.source),
        Move(REPLY_PORT, whole(f"{protocol}_src")),
        Goto(tables.DESTINATION.number),
    )
    return [
        Row(
            tables.REPLY,
            priority,
            match(**packets, reg1=_HAIRPIN_SET),
            (Move(family.source, family.destination), *restored),
        ),
        Row(tables.REPLY, priority - 1, match(**packets), restored),
    ]


_HAIRPIN_SET: Final = (1 << HAIRPIN.start, HAIRPIN.mask << HAIRPIN.start)


# ------------------------------------------------------------------------------- of an address


def host_rules(address: str, fronts: Sequence[Front], mac: str, zone: int) -> Rules:
    """All about one container address: its resolution, and where its ports' replies belong.

    fronts: every port of a VIP that leads to this address, oldest container first.
    """
    flows = [host_answer(address, mac)]
    by_port: dict[tuple[str, int], list[Front]] = {}
    for front in fronts:
        by_port.setdefault((front.protocol, front.target), []).append(front)
    for sharing in by_port.values():
        flows += _shared(sharing, zone) if len(sharing) > 1 else _alone(sharing[0], zone)
    return Rules(tuple(flows))


def _alone(front: Front, zone: int) -> tuple[Flow, ...]:
    """Replies of a port behind one port of one VIP."""
    to_vip = match(**front.from_target, **{front.family.dst: front.service.vip})
    rows = [Row(tables.CONNTRACK, 80, match(**front.from_target), as_vip(front, zone))]
    if front.service.mode == "stateless":
        rows.append(Row(tables.CONNTRACK, 110, to_vip, (Goto(tables.DESTINATION.number),)))
    else:
        rows.append(Row(tables.CONNTRACK, 110, to_vip, as_vip_to_itself(front, zone)))
        if front.protocol == "tcp":
            rows.append(Row(tables.CONNTRACK, 90, _begins(front), _looked_up_as_vip(front, zone)))
    origin = f"container {front.service.name}/{front.container.id}"
    return flows_of(Kind.CONTAINER, front.container.number, origin, rows)


def _shared(fronts: Sequence[Front], zone: int) -> tuple[Flow, ...]:
    """Replies of a port behind several ports of VIPs: the zone of origins is asked first.

    Connections from before the port was shared are not in it until their next packet: what it does
    not know is tried as a reply of the oldest.
    """
    oldest = fronts[0]
    look_up = Ct(origin_zone(zone), table=tables.ORIGIN.number)
    replies = match(**oldest.from_target)
    rows = [
        Row(tables.CONNTRACK, 80, replies, (look_up,)),
        Row(tables.ORIGIN, 50, replies, as_vip(oldest, zone)),
    ]
    for vip in dict.fromkeys(front.service.vip for front in fronts):
        to_vip = match(**oldest.from_target, **{oldest.family.dst: vip})
        rows.append(Row(tables.CONNTRACK, 110, to_vip, (look_up,)))
        rows.append(Row(tables.ORIGIN, 60, to_vip, (Goto(tables.DESTINATION.number),)))
    if oldest.protocol == "tcp":
        forgotten = (Ct(origin_zone(zone)), *_looked_up_as_vip(oldest, zone))
        rows.append(Row(tables.CONNTRACK, 90, _begins(oldest), forgotten))
    address = oldest.container.address
    return flows_of(Kind.HOST, address_number(address), f"container address {address}", rows)


def origin_flows(front: Front, zone: int) -> list[Row]:
    """Replies of a container whose port is shared, as the zone of origins knows them."""
    known = _known_of(front)
    to_vip: Fields = {**known, front.family.dst: front.service.vip}
    port = (Move(ORIGIN_PORT, whole(f"{front.protocol}_src")),)
    return [
        Row(tables.ORIGIN, 100, match(**known), as_vip(front, zone, port)),
        Row(tables.ORIGIN, 110, match(**to_vip), as_vip_to_itself(front, zone, port)),
    ]


def outcome_flows(front: Front) -> list[Row]:
    """Replies that say how a connection began or broke, apart so that they are counted."""
    known = _known_of(front)
    return [
        Row(tables.REPLY, 110, match(**known, tcp_flags=(flags, flags)), known_reply_actions())
        for flags in (SYN_ACK, RST)
    ]


def _known_of(front: Front) -> Fields:
    """Replies that conntrack knows as the container's."""
    return {**front.packets, "ct_state": "+est+rpl+trk", "ct_mark": front.container.number}


# ------------------------------------------------------------------------------- actions


def as_vip(front: Front, zone: int, port: Sequence[Action] = ()) -> tuple[Action, ...]:
    """Looked up as a reply of the VIP; its own source is kept for the case that it is none.

    port: the actions that write the VIP's port; by default the front's.
    """
    if front.service.mode == "stateless":
        return (
            set_field("eth_src", VIP_MAC),
            *_vip_source(front, port),
            Goto(tables.DESTINATION.number),
        )
    return (
        *_source_saved(front.family, front.protocol),
        *_vip_source(front, port),
        Ct(zone, table=tables.REPLY.number),
    )


def as_vip_to_itself(front: Front, zone: int, port: Sequence[Action] = ()) -> tuple[Action, ...]:
    """The same for what a container sends to a VIP: a reply to a connection of its own."""
    return (
        *_source_saved(front.family, front.protocol),
        SetField(HAIRPIN, 1),
        Move(front.family.source, front.family.destination),
        *_vip_source(front, port),
        Ct(zone, table=tables.REPLY.number),
    )


@cache
def _source_saved(family: Family, protocol: str) -> tuple[Action, ...]:
    return Move(family.source, family.saved), Move(whole(f"{protocol}_src"), REPLY_PORT)


def _vip_source(front: Front, port: Sequence[Action]) -> tuple[Action, ...]:
    vip = set_field(front.family.src, front.service.vip)
    return vip, *(port or (set_field(f"{front.protocol}_src", front.port),))


def _begins(front: Front) -> Match:
    """A direct connection's first packet."""
    return match(**front.to_target, tcp_flags=(SYN, SYN | ACK))


def _looked_up_as_vip(front: Front, zone: int) -> tuple[Action, ...]:
    """Direct access to a container: conntrack forgets a closed connection to the VIP from there.

    Else it would take the replies for that connection's.
    """
    destination, port = front.family.dst, f"{front.protocol}_dst"
    return (
        set_field(destination, front.service.vip),
        set_field(port, front.port),
        Ct(zone),
        set_field(destination, front.container.address),
        set_field(port, front.target),
        Goto(tables.DESTINATION.number),
    )
