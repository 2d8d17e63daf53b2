"""One packet as the pipeline sees it: header, metadata and register values by field name.

A header field is there only in packets that have that header, so that a match on `tcp_dst` never
takes a UDP packet. Metadata and registers are always there, 0 until something writes them; `xxreg0`
to `xxreg3` are four registers each, the first of them its highest bits.

Must not know: flows, tables, what is done with a packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from openflow.fields import (
    ARP_REQUEST,
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    FIELDS,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    PROTO_ICMP,
    PROTO_ICMPV6,
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
_ICMPV6: Final = ("icmpv6_type", "icmpv6_code")
_ND: Final = ("nd_target", "nd_sll", "nd_tll", "nd_reserved", "nd_options_type")
# An option of neighbour discovery, and the only type of message in which a switch sees it.
_ND_OPTIONS: Final = {"nd_sll": ND_SOLICITATION, "nd_tll": ND_ADVERTISEMENT}
_SPANS: Final = {
    f"xxreg{n}": tuple(f"reg{part}" for part in range(4 * n, 4 * n + 4)) for n in range(4)
}
_IS_METADATA: Final = frozenset(
    name
    for name in FIELDS
    if name.startswith(("reg", "ct_")) or name in ("metadata", "pkt_mark", "in_port")
)
_DEFAULTS: Final = {
    "nw_ttl": 64,
    "tcp_flags": SYN,
    "icmp_type": 8,
    "icmpv6_type": 128,
    "arp_op": ARP_REQUEST,
}


class Packet(Mapping[str, int]):
    """A frozen mapping of field name to value. Build it with `packet`, `tcp`, `udp` and so on."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = {
            name: value for name, value in values.items() if value or name not in _IS_METADATA
        }

    def __getitem__(self, name: str) -> int:
        found = self._values.get(name)
        if found is not None:
            return found
        if name in _IS_METADATA:
            return 0
        return _joined(self[part] for part in _SPANS[name])

    def __contains__(self, name: object) -> bool:
        if name in _ND_OPTIONS and self._values.get("icmpv6_type") != _ND_OPTIONS[name]:
            return False
        return name in self._values or name in _IS_METADATA or name in _SPANS

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
        return Packet({**self._values, **_split(values)})

    def read(self, bits: Subfield) -> int:
        """The value of some bits of a field; 0 where the packet lacks the header."""
        return self[bits.field] >> bits.start & bits.mask if bits.field in self else 0

    def written(self, bits: Subfield, value: int) -> Packet:
        """The packet with these bits written; unchanged where it lacks the header."""
        if bits.field not in self:
            return self
        kept = self[bits.field] & ~(bits.mask << bits.start)
        return self.having(**{bits.field: kept | value << bits.start})

    def after(self, action: SetField | Move) -> Packet:
        """The packet with an action's bits written; unchanged where it lacks a header."""
        if isinstance(action, SetField):
            return self.written(action.target, action.value)
        if action.source.field not in self:
            return self
        return self.written(action.target, self.read(action.source))

    def outside(self) -> Packet:
        """The packet as a cable carries it: its headers alone."""
        headers = {name: value for name, value in self._values.items() if name not in _IS_METADATA}
        return Packet(headers)

    def satisfies(self, wanted: Match) -> bool:
        """Whether a match takes the packet."""
        return all(
            entry.field in self and self[entry.field] & entry.mask == entry.value
            for entry in wanted
        )


def packet(**fields: int | str) -> Packet:
    """A packet of the kind that eth_type and ip_proto say, other headers 0.

    nw_ttl is 64 unless given, tcp_flags SYN, icmp_type and icmpv6_type an echo request, arp_op a
    request.
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


def tcp6(**fields: int | str) -> Packet:
    """A TCP packet over IPv6; `tcp_flags` is SYN unless given."""
    return packet(eth_type=ETH_IPV6, ip_proto=PROTO_TCP, **fields)


def udp6(**fields: int | str) -> Packet:
    """A UDP packet over IPv6."""
    return packet(eth_type=ETH_IPV6, ip_proto=PROTO_UDP, **fields)


def icmp6(**fields: int | str) -> Packet:
    """An ICMPv6 packet; an echo request unless `icmpv6_type` is given."""
    return packet(eth_type=ETH_IPV6, ip_proto=PROTO_ICMPV6, **fields)


def solicitation(**fields: int | str) -> Packet:
    """A neighbour solicitation (RFC 4861 section 4.3) with the sender's MAC address in its option.

    Without `nd_sll` it has no option; a hop limit of 255 is what makes it valid.
    """
    option = {"nd_options_type": 1} if "nd_sll" in fields else {}
    return icmp6(icmpv6_type=ND_SOLICITATION, **({"nw_ttl": 255} | option | fields))


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
    # where it wants a packet and no match, ofproto/trace takes names that dumps share for TCP's and
    # ICMP's alone
    if "icmpv6_type" in shown:
        return text.replace(",icmp_", ",icmpv6_")
    return text.replace(",tp_", ",udp_") if "udp_src" in shown else text


def _joined(registers: Iterable[int]) -> int:
    """The value of registers that stand side by side, the first of them highest."""
    value = 0
    for register in registers:
        value = value << 32 | register
    return value


def _split(values: Mapping[str, int]) -> dict[str, int]:
    """The values with those of xxreg0..3 given to the registers they consist of."""
    plain = {name: value for name, value in values.items() if name not in _SPANS}
    for name in values.keys() & _SPANS.keys():
        shifts = zip(_SPANS[name], (96, 64, 32, 0), strict=True)
        plain |= {part: values[name] >> shift & 0xFFFF_FFFF for part, shift in shifts}
    return plain


def _headers(given: Mapping[str, int]) -> tuple[str, ...]:
    headers = (*_FRAME, *_NETWORK.get(given.get("eth_type", 0), ()))
    if "ip_proto" not in headers:
        return headers
    protocol = given.get("ip_proto", 0)
    if given["eth_type"] == ETH_IP and protocol == PROTO_ICMP:
        return (*headers, *_ICMP)
    if given["eth_type"] == ETH_IPV6 and protocol == PROTO_ICMPV6:
        return (*headers, *_ICMPV6, *_nd_headers(given))
    return (*headers, *_TRANSPORT.get(protocol, ()))


def _nd_headers(given: Mapping[str, int]) -> tuple[str, ...]:
    is_nd = given.get("icmpv6_type") in _ND_OPTIONS.values() and not given.get("icmpv6_code")
    return _ND if is_nd else ()
