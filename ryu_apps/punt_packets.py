"""Packets that a switch hands to the controller: read, and answered in the name of a VIP.

Own code instead of the framework's packet library: three headers are read and two written, for a
quarter of the time, and what is malformed is None instead of one exception or another.

Must not know: why the switch sent the packet, services, who sends the answer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

from gateway_lb.neighbours import VIP_MAC
from openflow.fields import ETH_IP, ETH_IPV6, MAC, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP
from openflow.packet import ACK, FIN, RST, SYN

_VIP_MAC: Final = MAC.read(VIP_MAC).to_bytes(6, "big")

_ETHERNET_BYTES: Final = 14
_VLAN_TYPES: Final = (0x8100, 0x88A8)
_MAX_TAGS: Final = 2
_IPV4_BYTES: Final = 20
_IPV6_BYTES: Final = 40
_TCP_BYTES: Final = 20
_UDP_BYTES: Final = 8
_ICMP_BYTES: Final = 8
_HOPS: Final = 64

_U16: Final = struct.Struct("!H")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_TCP: Final = struct.Struct("!HHIIBBHHH")
_ICMP: Final = struct.Struct("!BBHI")

_DONT_FRAGMENT: Final = 0x4000
_FRAGMENT_BITS: Final = 0x3FFF  # more fragments, and the offset

# IPv6 extension headers that may stand before TCP and UDP (RFC 8200 section 4).
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_MAX_EXTENSIONS: Final = 8

# An error quotes as much as fits: 576 bytes in all (RFC 1122), 1280 (RFC 4443).
_MAX_ERROR: Final = 576
_MAX_ERROR6: Final = 1280
_UNREACHABLE: Final = (3, 3)
_UNREACHABLE6: Final = (1, 4)


@dataclass(frozen=True, slots=True)
class Punted:
    """A whole, unfragmented TCP or UDP packet from a client to a VIP.

    link: its Ethernet header, tags included; network: from the IP header to its end; header: bytes
    before the transport header; payload: bytes after it. sequence, acknowledged, flags: TCP's.
    """

    link: bytes
    network: bytes
    header: int
    is_ipv6: bool
    protocol: int
    source: bytes
    target: bytes
    payload: int
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0
    swapped: bool = False  # source and target, but not the bytes

    @property
    def ports(self) -> bytes:
        """The client's port and the VIP's, two bytes each."""
        return self.network[self.header : self.header + 4]

    @property
    def client(self) -> bytes:
        """What tells one connection from another: protocol, addresses and ports of both ends."""
        return bytes((self.protocol,)) + self.source + self.target + self.ports

    @property
    def next_sequence(self) -> int:
        """The sequence number after this packet's data, SYN and FIN."""
        length = self.payload + bool(self.flags & SYN) + bool(self.flags & FIN)
        return self.sequence + length & 0xFFFF_FFFF

    @property
    def begins(self) -> bool:
        """Whether it begins a connection: a SYN, or any UDP packet."""
        return self.protocol == PROTO_UDP or self.flags & (SYN | ACK | RST | FIN) == SYN


def read(frame: bytes) -> Punted | None:
    """The packet in an Ethernet frame; None where it is malformed, a fragment, or another kind."""
    at = _ETHERNET_BYTES
    if len(frame) < at or frame[6] & 1:
        return None
    for _ in range(_MAX_TAGS):
        if len(frame) >= at + 4 and _u16(frame, at - 2) in _VLAN_TYPES:
            at += 4
    kind = _u16(frame, at - 2)
    if kind == ETH_IP:
        return _read_ipv4(frame[:at], frame[at:])
    if kind == ETH_IPV6:
        return _read_ipv6(frame[:at], frame[at:])
    return None


def reset(packet: Punted) -> bytes | None:
    """The VIP's reset of a TCP packet (RFC 9293 section 3.10.7.1); None for a reset itself."""
    if packet.protocol != PROTO_TCP or packet.flags & RST:
        return None
    sequence, acknowledged, flags = 0, packet.next_sequence, RST | ACK
    if packet.flags & ACK:
        sequence, acknowledged, flags = packet.acknowledged, 0, RST
    return _segment(packet, sequence, acknowledged, flags)


def closing(packet: Punted) -> bytes:
    """A reset such as the client itself would send next, for conntrack.

    Conntrack closes an entry for the sender's exact next sequence number alone. That of the
    client's packet is known; the VIP's is not where the client lacks some of what was sent.
    """
    back = replace(packet, source=packet.target, target=packet.source, swapped=True)
    return _segment(back, packet.next_sequence, 0, RST)


def _segment(packet: Punted, sequence: int, acknowledged: int, flags: int) -> bytes:
    """A TCP segment without data in answer to a packet."""
    there, here = packet.ports[:2], packet.ports[2:]
    ports = there + here if packet.swapped else here + there
    rest = struct.pack("!IIBBHHH", sequence, acknowledged, _TCP_BYTES << 2, flags, 0, 0, 0)
    return _answer(packet, PROTO_TCP, ports + rest, checksum_at=16)


def unreachable(packet: Punted) -> bytes:
    """The VIP's "port unreachable" to a UDP packet (RFC 792, RFC 4443 section 3.1)."""
    if packet.is_ipv6:
        kind, code = _UNREACHABLE6
        quoted = packet.network[: _MAX_ERROR6 - _IPV6_BYTES - _ICMP_BYTES]
        body = _ICMP.pack(kind, code, 0, 0) + quoted
        return _answer(packet, PROTO_ICMPV6, body, checksum_at=2)
    kind, code = _UNREACHABLE
    body = _ICMP.pack(kind, code, 0, 0) + packet.network[: _MAX_ERROR - _IPV4_BYTES - _ICMP_BYTES]
    return _ipv4(packet, PROTO_ICMP, _summed(body, 2, b""))


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


# ------------------------------------------------------------------------------- reading


def _read_ipv4(link: bytes, data: bytes) -> Punted | None:
    if len(data) < _IPV4_BYTES or data[0] >> 4 != 4:
        return None
    header, total = (data[0] & 0x0F) * 4, _u16(data, 2)
    if not _IPV4_BYTES <= header <= total <= len(data) or _u16(data, 6) & _FRAGMENT_BITS:
        return None
    if not _is_unicast(data[12:16]):
        return None
    return _read_transport(
        link, data[:total], header, data[9], source=data[12:16], target=data[16:20]
    )


def _is_unicast(source: bytes) -> bool:
    """Whether a client's IPv4 address may be answered."""
    return source[0] not in (0, 127) and source[0] < 0xE0


def _read_ipv6(link: bytes, data: bytes) -> Punted | None:
    if len(data) < _IPV6_BYTES or data[0] >> 4 != 6:
        return None
    total = _IPV6_BYTES + _u16(data, 4)
    source = data[8:24]
    if total > len(data) or source[0] == 0xFF or not any(source[:15]):
        return None
    data = data[:total]
    found = _after_extensions(data)
    if found is None:
        return None
    header, protocol = found
    return _read_transport(link, data, header, protocol, source=source, target=data[24:40])


def _after_extensions(data: bytes) -> tuple[int, int] | None:
    """Where the transport header of an IPv6 packet begins, and of which protocol it is."""
    at, kind = _IPV6_BYTES, data[6]
    for _ in range(_MAX_EXTENSIONS):
        if kind not in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION):
            return at, kind
        if len(data) < at + 8 or (kind == _FRAGMENT and _u16(data, at + 2) & ~0x6):
            return None
        size = 8 if kind == _FRAGMENT else (data[at + 1] + 1) * 8
        at, kind = at + size, data[at]
    return None


def _read_transport(
    link: bytes, data: bytes, header: int, protocol: int, *, source: bytes, target: bytes
) -> Punted | None:
    room = len(data) - header
    is_ipv6 = len(source) > 4
    if protocol == PROTO_UDP and room >= _UDP_BYTES:
        return Punted(
            link, data, header, is_ipv6, protocol, source, target, payload=room - _UDP_BYTES
        )
    if protocol != PROTO_TCP or room < _TCP_BYTES:
        return None
    _, _, sequence, acknowledged, offset, flags, *_ = _TCP.unpack_from(data, header)
    size = (offset >> 4) * 4
    if not _TCP_BYTES <= size <= room:
        return None
    return Punted(
        link,
        data,
        header,
        is_ipv6,
        protocol,
        source,
        target,
        payload=room - size,
        sequence=sequence,
        acknowledged=acknowledged,
        flags=flags,
    )


# ------------------------------------------------------------------------------- writing


def _answer(packet: Punted, protocol: int, body: bytes, *, checksum_at: int) -> bytes:
    """An answer whose checksum spans the addresses too."""
    addresses = packet.target + packet.source
    pseudo = addresses + struct.pack("!II", len(body), protocol)
    summed = _summed(body, checksum_at, pseudo)
    if not packet.is_ipv6:
        return _ipv4(packet, protocol, summed)
    header = _IPV6.pack(6 << 28, len(body), protocol, _HOPS, packet.target, packet.source)
    return _link(packet) + header + summed


def _ipv4(packet: Punted, protocol: int, body: bytes) -> bytes:
    total = _IPV4_BYTES + len(body)
    header = _IPV4.pack(
        0x45, 0, total, 0, _DONT_FRAGMENT, _HOPS, protocol, 0, packet.target, packet.source
    )
    return _link(packet) + _summed(header, 10, b"") + body


def _link(packet: Punted) -> bytes:
    return packet.link[6:12] + _VIP_MAC + packet.link[12:]


def _summed(data: bytes, at: int, pseudo: bytes) -> bytes:
    """The data with the Internet checksum of itself and a pseudo header at an offset (RFC 1071)."""
    return data[:at] + _U16.pack(_checksum(pseudo + data)) + data[at + 2 :]


def _checksum(data: bytes) -> int:
    """65535 divides 65536**n - 1, so the number modulo 65535 is the one's complement sum."""
    padded = data + b"\0" if len(data) & 1 else data
    return 0xFFFF - (int.from_bytes(padded, "big") % 0xFFFF or 0xFFFF)
