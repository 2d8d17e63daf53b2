"""A model of Open vSwitch's userspace connection tracking, as far as the pipeline needs it.

A `Conntrack` is a value: `track` returns a new one. It has zones, directions, marks, labels, the
states of TCP, UDP and ICMP connections, and NAT to one address. It has no timeouts, no sequence
numbers (every packet is taken to lie in the window), no fragments, no related connections, and no
range of NAT ports. Source: `lib/conntrack.c`, `conntrack-tcp.c`, `-other.c`, `-icmp.c` of
Open vSwitch 3.1.

Must not know: flows, tables, where a packet goes next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from openflow.fields import CT_STATE_BITS, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from openflow.packet import ACK, FIN, RST, SYN, SYN_ACK, Packet
from openflow.text import TCP_FLAG_BITS
from openflow.values import Ct, Nat

NEW: Final = CT_STATE_BITS["new"]
EST: Final = CT_STATE_BITS["est"]
RPL: Final = CT_STATE_BITS["rpl"]
INV: Final = CT_STATE_BITS["inv"]
TRK: Final = CT_STATE_BITS["trk"]
SNAT: Final = CT_STATE_BITS["snat"]
DNAT: Final = CT_STATE_BITS["dnat"]

_NEEDS_ACK: Final = FIN | TCP_FLAG_BITS["psh"] | TCP_FLAG_BITS["urg"]
# Of ICMP only echo has connections: the field of its type, the request's and the reply's.
_ECHO: Final = {PROTO_ICMP: ("icmp_type", 8, 0), PROTO_ICMPV6: ("icmpv6_type", 128, 129)}
_UNTRACKED: Final = {"ct_state": 0, "ct_zone": 0, "ct_mark": 0, "ct_label": 0}


class Tuple5(NamedTuple):
    """Who talks to whom, seen from one side, within a zone. Ports of ICMP: type and answer's."""

    zone: int
    proto: int
    source: int
    destination: int
    source_port: int
    destination_port: int

    @property
    def turned(self) -> Tuple5:
        zone, proto, source, destination, source_port, destination_port = self
        return Tuple5(zone, proto, destination, source, destination_port, source_port)


class End(IntEnum):
    """How far one end of a TCP connection is; the order is the protocol's."""

    SILENT = 0
    SYN_SENT = 1
    ESTABLISHED = 2
    CLOSING = 3
    FIN_ACKED = 4
    GONE = 5


@dataclass(frozen=True, slots=True)
class Connection:
    """One committed connection.

    forth: its packets in the direction that was committed; back: replies to them, which with NAT
    is not the same turned round. ends: originator and responder (TCP). is_answered: a reply was
    seen (other protocols).
    """

    forth: Tuple5
    back: Tuple5
    mark: int = 0
    label: int = 0
    nat: Nat | None = None
    ends: tuple[End, End] = (End.SYN_SENT, End.SILENT)
    is_answered: bool = False


@dataclass(frozen=True, slots=True)
class Conntrack:
    """All connections, each under both of its tuples."""

    connections: Mapping[Tuple5, Connection] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, key: Tuple5) -> Connection | None:
        """The connection that a packet of this tuple belongs to, in either direction."""
        return self.connections.get(key)

    def kept(self, connection: Connection) -> Conntrack:
        """With a connection added or replaced."""
        both = {connection.forth: connection, connection.back: connection}
        return Conntrack(MappingProxyType({**self.connections, **both}))

    def without(self, connection: Connection) -> Conntrack:
        """With a connection forgotten."""
        gone = (connection.forth, connection.back)
        left = {key: kept for key, kept in self.connections.items() if key not in gone}
        return Conntrack(MappingProxyType(left))


def untracked(packet: Packet) -> Packet:
    """The packet with its conntrack fields cleared."""
    return packet.having(**_UNTRACKED)


def lookup(conntrack: Conntrack, packet: Packet, zone: int) -> int:
    """The ct_state bits that `ct(zone=...)` would give the packet."""
    return track(conntrack, packet, Ct(zone))[1]["ct_state"]


def track(conntrack: Conntrack, packet: Packet, action: Ct) -> tuple[Conntrack, Packet]:
    """One `ct` action: the connections after it, and the packet with its conntrack fields known."""
    key = _key(packet, action.zone)
    if key is None:
        return conntrack, _marked(packet, INV, action.zone, None)
    if packet["ct_zone"] == action.zone and packet["ct_state"] & (SNAT | DNAT):
        return _again(conntrack, packet, action, key)
    connection = conntrack.find(key)
    state = NEW
    if connection is not None:
        updated, state = _updated(connection, packet, is_reply=key == connection.back)
        if updated is None:
            conntrack, connection = conntrack.without(connection), None
        elif updated != connection:
            conntrack, connection = conntrack.kept(updated), updated
    if connection is None and not _may_begin(packet):
        return conntrack, _marked(packet, INV, action.zone, None)
    is_reply = connection is not None and key == connection.back and key != connection.forth
    if connection is None and action.commit:
        connection = _begun(key, action.nat)
        conntrack = conntrack.kept(connection)
    # an invalid packet of a known connection is translated and written like any other
    if connection is not None and action.nat is not None:
        packet, state = _translated(packet, connection, state, is_reply=is_reply)
    return _written(conntrack, packet, action, connection, state)


def _again(
    conntrack: Conntrack, packet: Packet, action: Ct, key: Tuple5
) -> tuple[Conntrack, Packet]:
    """A packet that the zone knows and has translated already: it stays what it is."""
    return _written(conntrack, packet, action, conntrack.find(key.turned), packet["ct_state"])


def tuple_of(packet: Packet, zone: int = 0) -> Tuple5 | None:
    """Who talks to whom; None where there is no telling (ARP, unknown protocols)."""
    return _key(packet, zone)


def _key(packet: Packet, zone: int) -> Tuple5 | None:
    family = next((name for name in ("ip", "ipv6") if f"{name}_src" in packet), None)
    if family is None:
        return None
    proto = packet["ip_proto"]
    ports = {PROTO_TCP: ("tcp_src", "tcp_dst"), PROTO_UDP: ("udp_src", "udp_dst")}.get(proto)
    addresses = packet[f"{family}_src"], packet[f"{family}_dst"]
    if ports:
        return Tuple5(zone, proto, *addresses, packet[ports[0]], packet[ports[1]])
    field, request, reply = _ECHO.get(proto, ("", 0, 0))
    kind = packet.get(field)
    if kind in (request, reply):
        return Tuple5(zone, proto, *addresses, kind, request + reply - kind)
    return None


def _may_begin(packet: Packet) -> bool:
    """Whether a packet without a connection counts as new: all but what TCP cannot begin with."""
    if packet["ip_proto"] in _ECHO:
        field, request, _reply = _ECHO[packet["ip_proto"]]
        return packet[field] == request
    flags = packet.get("tcp_flags")
    return flags is None or not (_is_nonsense(flags) or flags & SYN_ACK == SYN_ACK)


def _is_nonsense(flags: int) -> bool:
    if flags & SYN:
        return bool(flags & (RST | FIN))
    if not flags & (ACK | RST):
        return True
    return not flags & ACK and bool(flags & _NEEDS_ACK)


def _updated(
    connection: Connection, packet: Packet, *, is_reply: bool
) -> tuple[Connection | None, int]:
    """The connection after the packet, None if the packet begins another, and the state bits."""
    back = RPL if is_reply else 0
    flags = packet.get("tcp_flags")
    if flags is None:
        answered = connection.is_answered or is_reply
        return replace(connection, is_answered=answered), (EST | back if answered else NEW)
    if _is_nonsense(flags):
        return connection, INV
    ends = connection.ends[::-1] if is_reply else connection.ends
    source, target = ends
    if flags & SYN_ACK == SYN:
        if source >= End.FIN_ACKED and target >= End.FIN_ACKED:
            return None, NEW
        if source <= End.SYN_SENT:
            ends = End.SYN_SENT, target
            return replace(connection, ends=ends[::-1] if is_reply else ends), NEW
    ends = _after(source, target, flags)
    return replace(connection, ends=ends[::-1] if is_reply else ends), EST | back


def _after(source: End, target: End, flags: int) -> tuple[End, End]:
    """The ends after a packet from one to the other."""
    if flags & RST:
        return End.GONE, End.GONE
    source = max(source, End.SYN_SENT)
    if flags & FIN:
        source = max(source, End.CLOSING)
    if flags & ACK:
        target = {End.SYN_SENT: End.ESTABLISHED, End.CLOSING: End.FIN_ACKED}.get(target, target)
    return source, target


def _begun(key: Tuple5, nat: Nat | None) -> Connection:
    back = key.turned
    if nat is None or not nat.kind or not nat.address:
        return Connection(key, back)
    port = nat.port if key.proto in (PROTO_TCP, PROTO_UDP) else 0
    if nat.kind == "dst":
        back = back._replace(source=nat.address, source_port=port or back.source_port)
    else:
        port = port or back.destination_port
        back = back._replace(destination=nat.address, destination_port=port)
    return Connection(key, back, nat=nat)


def _translated(
    packet: Packet, connection: Connection, state: int, *, is_reply: bool
) -> tuple[Packet, int]:
    """The packet with the addresses its receiver expects."""
    if connection.nat is None:
        return packet, state
    seen = connection.forth.turned if is_reply else connection.back.turned
    prefix = "ip" if "ip_src" in packet else "ipv6"
    fields = {f"{prefix}_src": seen.source, f"{prefix}_dst": seen.destination}
    for name, port in (("src", seen.source_port), ("dst", seen.destination_port)):
        for protocol in ("tcp", "udp"):
            if f"{protocol}_{name}" in packet:
                fields[f"{protocol}_{name}"] = port
    # the bit says what happens to this packet: a reply of a DNAT connection has its source changed
    is_source = (connection.nat.kind == "src") != is_reply
    return packet.having(**fields), state | (SNAT if is_source else DNAT)


def _written(
    conntrack: Conntrack, packet: Packet, action: Ct, connection: Connection | None, state: int
) -> tuple[Conntrack, Packet]:
    """After `exec`, which reads and writes the packet's fields as the connection has them."""
    if connection is not None and action.exec:
        scratch = packet.having(ct_mark=connection.mark, ct_label=connection.label)
        for inner in action.exec:
            scratch = scratch.after(inner)
        connection = replace(connection, mark=scratch["ct_mark"], label=scratch["ct_label"])
        conntrack = conntrack.kept(connection)
    return conntrack, _marked(packet, state, action.zone, connection)


def _marked(packet: Packet, state: int, zone: int, connection: Connection | None) -> Packet:
    return packet.having(
        ct_state=state | TRK,
        ct_zone=zone,
        ct_mark=connection.mark if connection else 0,
        ct_label=connection.label if connection else 0,
    )
