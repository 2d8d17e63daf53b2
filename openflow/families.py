"""IPv4 and IPv6 as the pipeline needs them: the fields that differ, by one name each.

Must not know: tables, flows, services.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Final

from openflow.fields import (
    ETH_IP,
    ETH_IPV6,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    REPLY_SOURCE,
    REPLY_SOURCE6,
    Subfield,
    whole,
)

PROTOCOLS: Final = {"tcp": PROTO_TCP, "udp": PROTO_UDP}


@dataclass(frozen=True, slots=True)
class Family:
    """The fields of one IP version. saved: where a source is kept while it is rewritten."""

    eth_type: int
    src: str
    dst: str
    saved: Subfield
    icmp: int
    icmp_type: str
    echo_request: int
    echo_reply: int

    @property
    def source(self) -> Subfield:
        return whole(self.src)

    @property
    def destination(self) -> Subfield:
        return whole(self.dst)


IPV4: Final = Family(ETH_IP, "ip_src", "ip_dst", REPLY_SOURCE, PROTO_ICMP, "icmp_type", 8, 0)
IPV6: Final = Family(
    ETH_IPV6, "ipv6_src", "ipv6_dst", REPLY_SOURCE6, PROTO_ICMPV6, "icmpv6_type", 128, 129
)
FAMILIES: Final = (IPV4, IPV6)


def family_of(address: str) -> Family:
    """The family of a checked address."""
    return IPV6 if ":" in address else IPV4


def address_number(address: str) -> int:
    """32 bits that stand for an address in cookies: the IPv4 address, a checksum of an IPv6 one."""
    parsed = ip_address(address)
    return int(parsed) if isinstance(parsed, IPv4Address) else zlib.crc32(parsed.packed)
