"""One packet as the pipeline sees it: header, metadata and register values by field name.

A header field is there only in packets that have that header, so that a match on `tcp_dst` never
takes a UDP packet. Metadata and registers are always there, 0 until something writes them.

Must not know: flows, tables, what is done with a packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from openflow.fields import (
    ARP_REQUEST,
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    FIELDS,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    Subfield,
)
from openflow.parse import parse_match
from openflow.text import TCP_FLAG_BITS, match_text
from openflow.values import FieldMatch, Match, Move, SetField, match

SYN: Final = TCP_FLAG_BITS["syn"]
ACK: Final = TCP_FLAG_BITS["ack"]
FIN: Final = TCP_FLAG_BITS["fin"]
RST: Final = TCP_FLAG_BITS["rst"]
SYN_ACK: Final = SYN | ACK

_FRAME: Final = ("in_port", "eth_src", "eth_dst", "eth_type")
_IP: Final = ("ip_proto", "ip_dscp", "ip_ecn", "nw_ttl")
_NETWORK: Final[dict[int, tuple[str, ...]]] = {
    ETH_IP: ("ip_src", "ip_dst", *_IP),
    ETH_IPV6: ("ipv6_src", "ipv6_dst", *_IP),
    ETH_ARP: ("arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha"),
}
_TRANSPORT: Final[dict[int, tuple[str, ...]]] = {
    PROTO_TCP: ("tcp_src", "tcp_dst", "tcp_flags"),
    PROTO_UDP: ("udp_src", "udp_dst"),
}
_ICMP: Final = ("icmp_type", "icmp_code")
_IS_METADATA: Final = frozenset(
    name
    for name in FIELDS
    if name.startswith(("reg", "ct_")) or name in ("metadata", "pkt_mark", "in_port")
)
_DEFAULTS: Final = {"nw_ttl": 64, "tcp_flags": SYN, "icmp_type": 8, "arp_op": ARP_REQUEST}


class Packet(Mapping[str, int]):
    """A frozen mapping of field name to value. Build it with `packet`, `tcp`, `udp` and so on."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = {
            name: value for name, value in values.items() if value or name not in _IS_METADATA
        }

    def __getitem__(self, name: str) -> int:
        found = self._values.get(name)
        if found is None and name in _IS_METADATA:
            return 0
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in _IS_METADATA

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"<Packet {packet_text(self)}>"

    def having(self, **values: int) -> Packet:
        """The packet with some fields changed; ValueError for headers that it does not have."""
        absent = [name for name in values if name not in self]
        if absent:
            raise ValueError(f"{packet_text(self)} has no {', '.join(absent)}")
        return Packet({**self._values, **values})

    def read(self, bits: Subfield) -> int:
        """The value of some bits of a field; 0 where the packet lacks the header."""
        return self[bits.field] >> bits.start & bits.mask if bits.field in self else 0

    def written(self, bits: Subfield, value: int) -> Packet:
        """The packet with these bits written; unchanged where it lacks the header."""
        if bits.field not in self:
            return self
        kept = self[bits.field] & ~(bits.mask << bits.start)
        return Packet({**self._values, bits.field: kept | value << bits.start})

    def after(self, action: SetField | Move) -> Packet:
        """The packet with an action's bits written; unchanged where it lacks the header."""
        if isinstance(action, SetField):
            return self.written(action.target, action.value)
        return self.written(action.target, self.read(action.source))

    def satisfies(self, wanted: Match) -> bool:
        """Whether a match takes the packet."""
        return all(
            entry.field in self and self[entry.field] & entry.mask == entry.value
            for entry in wanted
        )


def packet(**fields: int | str) -> Packet:
    """A packet of the kind that eth_type and ip_proto say, other headers 0.

    nw_ttl is 64 unless given, tcp_flags SYN, icmp_type an echo request, arp_op a request.
    ValueError for a field that such a packet does not have; KeyError for an unknown one.
    """
    given = {entry.field: entry.value for entry in match(**fields)}
    headers = _headers(given)
    alien = [name for name in given if name not in headers and name not in _IS_METADATA]
    if alien:
        raise ValueError(f"{', '.join(alien)} does not belong to a packet of {headers[-1]}")
    return Packet({name: _DEFAULTS.get(name, 0) for name in headers} | given)


def tcp(**fields: int | str) -> Packet:
    """A TCP packet over IPv4; `tcp_flags` is SYN unless given."""
    return packet(eth_type=ETH_IP, ip_proto=PROTO_TCP, **fields)


def udp(**fields: int | str) -> Packet:
    """A UDP packet over IPv4."""
    return packet(eth_type=ETH_IP, ip_proto=PROTO_UDP, **fields)


def icmp(**fields: int | str) -> Packet:
    """An ICMP packet over IPv4; an echo request unless `icmp_type` is given."""
    return packet(eth_type=ETH_IP, ip_proto=PROTO_ICMP, **fields)


def arp(**fields: int | str) -> Packet:
    """An ARP packet; a request unless `arp_op` is given."""
    return packet(eth_type=ETH_ARP, **fields)


def parse_packet(text: str) -> Packet:
    """A packet in the syntax of `ovs-appctl ofproto/trace`, with the defaults of `packet`.

    For example "in_port=1,tcp,nw_src=10.9.1.1,nw_dst=10.9.1.100,tp_src=4000,tp_dst=80". ValueError
    names the word that is wrong.
    """
    fields: dict[str, int | str] = {}
    for entry in parse_match(text):
        is_flags = entry.field in ("tcp_flags", "ct_state")
        if entry.mask != FIELDS[entry.field].full_mask and not is_flags:
            raise ValueError(f"{entry.field} has a mask; a packet has whole values")
        fields[entry.field] = entry.value
    return packet(**fields)


def packet_text(shown: Packet) -> str:
    """The packet in the syntax that `parse_packet` and `ofproto/trace` read.

    Zeroes are left out where both readers take them for granted.
    """
    entries = (
        FieldMatch(name, value, FIELDS[name].full_mask)
        for name, value in shown.items()
        if value or name in _DEFAULTS
    )
    text = match_text(Match(tuple(sorted(entries))), "ovs")
    # where it wants a packet and no match, ofproto/trace takes tp_src and tp_dst for TCP's alone
    return text.replace(",tp_", ",udp_") if "udp_src" in shown else text


def _headers(given: Mapping[str, int]) -> tuple[str, ...]:
    headers = (*_FRAME, *_NETWORK.get(given.get("eth_type", 0), ()))
    if "ip_proto" not in headers:
        return headers
    protocol = given.get("ip_proto", 0)
    if given["eth_type"] == ETH_IP and protocol == PROTO_ICMP:
        return (*headers, *_ICMP)
    return (*headers, *_TRANSPORT.get(protocol, ()))
