"""Packet, conntrack and register fields: one table, and every register bit named once.

Owns names, widths and the way values are written. A field is a packet header, conntrack metadata
or an Open vSwitch register; a `Subfield` is a run of its bits. Features name registers by what they
hold (`ENDPOINT`, `OUT_PORT`), never by number, so that this page is the whole register map.

Must not know: flows, tables, the controller framework (it gives only the framework's field names).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

ETH_IP: Final = 0x0800
ETH_ARP: Final = 0x0806
ETH_IPV6: Final = 0x86DD
PROTO_ICMP: Final = 1
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17
PROTO_ICMPV6: Final = 58
ARP_REQUEST: Final = 1
ARP_REPLY: Final = 2
ND_SOLICITATION: Final = 135
ND_ADVERTISEMENT: Final = 136


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of value is written: `show(5)` gives text, `read` its value or a ValueError."""

    show: Callable[[int], str]
    read: Callable[[str], int]


def _show_mac(value: int) -> str:
    return ":".join(f"{octet:02x}" for octet in value.to_bytes(6, "big"))


def _read_mac(text: str) -> int:
    if not re.fullmatch(r"([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}", text):
        raise ValueError(f"{text!r} is not a MAC address such as 02:00:00:00:00:01")
    return int.from_bytes(bytes(int(octet, 16) for octet in text.split(":")), "big")


def _read_int(text: str) -> int:
    return int(text, 0)


# An address stands in several flows of its object: it is read once for them.
_kept: Final = lru_cache(maxsize=1 << 10)


# Bits of ct_state as Open vSwitch numbers them (ovs-fields(7), "ct_state").
CT_STATE_BITS: Final = {
    "new": 0x01,
    "est": 0x02,
    "rel": 0x04,
    "rpl": 0x08,
    "inv": 0x10,
    "trk": 0x20,
    "snat": 0x40,
    "dnat": 0x80,
}


def ct_state(text: str) -> tuple[int, int]:
    """Value and mask of a ct_state match such as "+trk+new-est". ValueError for other words."""
    value = mask = 0
    if not re.fullmatch(r"([+-][a-z]+)+", text):
        raise ValueError(f"{text!r} is not a ct_state such as +trk+new")
    for sign, word in re.findall(r"([+-])([a-z]+)", text):
        if word not in CT_STATE_BITS:
            raise ValueError(
                f"{word!r} is not one of the ct_state flags {', '.join(CT_STATE_BITS)}"
            )
        bit = CT_STATE_BITS[word]
        mask |= bit
        value |= bit if sign == "+" else 0
    return value, mask


def ct_state_text(value: int, mask: int) -> str:
    """The match text of a ct_state value and mask, flags in Open vSwitch's order of bits."""
    return "".join(
        ("+" if value & bit else "-") + word for word, bit in CT_STATE_BITS.items() if mask & bit
    )


DECIMAL: Final = Form(str, _read_int)
HEX: Final = Form(hex, _read_int)
IPV4: Final = Form(
    lambda value: str(ipaddress.IPv4Address(value)),
    _kept(lambda text: int(ipaddress.IPv4Address(text))),
)
IPV6: Final = Form(
    lambda value: str(ipaddress.IPv6Address(value)),
    _kept(lambda text: int(ipaddress.IPv6Address(text))),
)
MAC: Final = Form(_show_mac, _kept(_read_mac))


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    name: as `set_field` writes it; bits: its width; match: as flow dumps write it in matches;
    oxm: the name that os-ken and Ryu use; nxm: as Open vSwitch prints it in `move` and `load`.
    """

    name: str
    bits: int
    form: Form
    match: str
    oxm: str
    nxm: str

    full_mask: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "full_mask", (1 << self.bits) - 1)


def _fields() -> dict[str, Field]:
    rows: list[tuple[str, int, Form, str, str, str]] = [
        # name        bits form     in matches   os-ken/Ryu   in move and load
        ("in_port", 32, DECIMAL, "in_port", "in_port", "NXM_OF_IN_PORT"),
        ("eth_src", 48, MAC, "dl_src", "eth_src", "NXM_OF_ETH_SRC"),
        ("eth_dst", 48, MAC, "dl_dst", "eth_dst", "NXM_OF_ETH_DST"),
        ("eth_type", 16, HEX, "dl_type", "eth_type", "NXM_OF_ETH_TYPE"),
        ("ip_proto", 8, DECIMAL, "nw_proto", "ip_proto", "NXM_OF_IP_PROTO"),
        ("ip_src", 32, IPV4, "nw_src", "ipv4_src", "NXM_OF_IP_SRC"),
        ("ip_dst", 32, IPV4, "nw_dst", "ipv4_dst", "NXM_OF_IP_DST"),
        ("ip_dscp", 6, DECIMAL, "ip_dscp", "ip_dscp", "OXM_OF_IP_DSCP"),
        ("ip_ecn", 2, DECIMAL, "nw_ecn", "ip_ecn", "NXM_NX_IP_ECN"),
        ("nw_ttl", 8, DECIMAL, "nw_ttl", "nw_ttl", "NXM_NX_IP_TTL"),
        ("ipv6_src", 128, IPV6, "ipv6_src", "ipv6_src", "NXM_NX_IPV6_SRC"),
        ("ipv6_dst", 128, IPV6, "ipv6_dst", "ipv6_dst", "NXM_NX_IPV6_DST"),
        ("tcp_src", 16, DECIMAL, "tp_src", "tcp_src", "NXM_OF_TCP_SRC"),
        ("tcp_dst", 16, DECIMAL, "tp_dst", "tcp_dst", "NXM_OF_TCP_DST"),
        ("udp_src", 16, DECIMAL, "tp_src", "udp_src", "NXM_OF_UDP_SRC"),
        ("udp_dst", 16, DECIMAL, "tp_dst", "udp_dst", "NXM_OF_UDP_DST"),
        ("tcp_flags", 16, HEX, "tcp_flags", "tcp_flags_nxm", "NXM_NX_TCP_FLAGS"),
        ("icmp_type", 8, DECIMAL, "icmp_type", "icmpv4_type", "NXM_OF_ICMP_TYPE"),
        ("icmp_code", 8, DECIMAL, "icmp_code", "icmpv4_code", "NXM_OF_ICMP_CODE"),
        ("icmpv6_type", 8, DECIMAL, "icmp_type", "icmpv6_type", "NXM_NX_ICMPV6_TYPE"),
        ("icmpv6_code", 8, DECIMAL, "icmp_code", "icmpv6_code", "NXM_NX_ICMPV6_CODE"),
        ("nd_target", 128, IPV6, "nd_target", "ipv6_nd_target", "NXM_NX_ND_TARGET"),
        ("nd_sll", 48, MAC, "nd_sll", "ipv6_nd_sll", "NXM_NX_ND_SLL"),
        ("nd_tll", 48, MAC, "nd_tll", "ipv6_nd_tll", "NXM_NX_ND_TLL"),
        ("nd_reserved", 32, HEX, "nd_reserved", "nd_reserved", "ERICOXM_OF_ICMPV6_ND_RESERVED"),
        (
            "nd_options_type",
            8,
            DECIMAL,
            "nd_options_type",
            "nd_options_type",
            "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE",
        ),
        ("arp_op", 16, DECIMAL, "arp_op", "arp_op", "NXM_OF_ARP_OP"),
        ("arp_spa", 32, IPV4, "arp_spa", "arp_spa", "NXM_OF_ARP_SPA"),
        ("arp_tpa", 32, IPV4, "arp_tpa", "arp_tpa", "NXM_OF_ARP_TPA"),
        ("arp_sha", 48, MAC, "arp_sha", "arp_sha", "NXM_NX_ARP_SHA"),
        ("arp_tha", 48, MAC, "arp_tha", "arp_tha", "NXM_NX_ARP_THA"),
        ("ct_state", 32, HEX, "ct_state", "ct_state", "NXM_NX_CT_STATE"),
        ("ct_zone", 16, DECIMAL, "ct_zone", "ct_zone", "NXM_NX_CT_ZONE"),
        ("ct_mark", 32, HEX, "ct_mark", "ct_mark", "NXM_NX_CT_MARK"),
        ("ct_label", 128, HEX, "ct_label", "ct_label", "NXM_NX_CT_LABEL"),
        ("metadata", 64, HEX, "metadata", "metadata", "OXM_OF_METADATA"),
        ("pkt_mark", 32, HEX, "pkt_mark", "pkt_mark", "NXM_NX_PKT_MARK"),
    ]
    rows += [(f"reg{n}", 32, HEX, f"reg{n}", f"reg{n}", f"NXM_NX_REG{n}") for n in range(16)]
    rows += [
        (f"xxreg{n}", 128, HEX, f"xxreg{n}", f"xxreg{n}", f"NXM_NX_XXREG{n}") for n in range(4)
    ]
    return {row[0]: Field(*row) for row in rows}


FIELDS: Final = _fields()


@dataclass(frozen=True, slots=True)
class Subfield:
    """Bits start..start+bits-1 of a field; `label` (not compared) says what they are named for."""

    field: str
    start: int
    bits: int
    label: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.bits < 1 or self.start < 0 or self.start + self.bits > FIELDS[self.field].bits:
            raise ValueError(f"{self.field}[{self.start}..{self.start + self.bits - 1}] is no such")

    @property
    def mask(self) -> int:
        return (1 << self.bits) - 1

    @property
    def is_whole(self) -> bool:
        return self.bits == FIELDS[self.field].bits

    @property
    def bounds(self) -> str:
        """ "" for the whole field, else "[0..15]" or "[4]"."""
        if self.is_whole:
            return ""
        end = self.start + self.bits - 1
        return f"[{self.start}]" if self.bits == 1 else f"[{self.start}..{end}]"


@cache
def whole(name: str) -> Subfield:
    """All bits of the named field. KeyError if there is none."""
    return Subfield(name, 0, FIELDS[name].bits)


# ---------------------------------------------------------------------------------------------
# The register map. Every register bit the pipeline uses is named here and nowhere else.
#
# reg0          ENDPOINT       container number chosen by the group or recalled from conntrack;
#                              in table empty: the number of the service
# reg1[0..15]   OUT_PORT       OpenFlow port number that the packet leaves by
# reg1[16]      HAIRPIN        1: a container answers its own connection to a VIP
# reg1[17]      PORT_KNOWN     1: OUT_PORT holds the port already when the packet is forwarded
# reg2          REPLY_SOURCE   a container's own IPv4 address, kept while its reply is looked up
# reg3[0..15]   REPLY_PORT     a container's own port, kept likewise
# reg3[16..31]  ASKING_PORT    a client's port, kept while its address alone chooses a slot
# reg4..reg7    REPLY_SOURCE6  a container's own IPv6 address (xxreg1 spans these four)
# reg8          SOURCE_SERVICE number of the service that the packet comes from; 0: it came through
#               the fabric, or no policy needs to know
# reg9          TARGET_SERVICE number of the service that it goes to; 0: none that a policy names
# reg10[0..7]   CLASS          number of its QoS class; 0: it came through the fabric
# ---------------------------------------------------------------------------------------------
ENDPOINT: Final = Subfield("reg0", 0, 32, "endpoint")
OUT_PORT: Final = Subfield("reg1", 0, 16, "out_port")
HAIRPIN: Final = Subfield("reg1", 16, 1, "hairpin")
PORT_KNOWN: Final = Subfield("reg1", 17, 1, "port_known")
REPLY_SOURCE: Final = Subfield("reg2", 0, 32, "reply_source")
REPLY_PORT: Final = Subfield("reg3", 0, 16, "reply_port")
ASKING_PORT: Final = Subfield("reg3", 16, 16, "asking_port")
REPLY_SOURCE6: Final = Subfield("xxreg1", 0, 128, "reply_source6")
SOURCE_SERVICE: Final = Subfield("reg8", 0, 32, "source_service")
TARGET_SERVICE: Final = Subfield("reg9", 0, 32, "target_service")
CLASS: Final = Subfield("reg10", 0, 8, "class")


# What conntrack remembers of a connection between a client and a VIP (a switch's own zone):
#
# ct_mark            CT_MARK      the number of the container chosen
# ct_label[0..47]    CLIENT_MAC   the client's MAC address: replies go back to it
# ct_label[48..63]   CLIENT_PORT  the port the client's packets come in by: replies leave by it
#
# and, where a container's port stands behind several ports of VIPs, of the same connection between
# the client and the container's own address (the zone with the highest bit set):
#
# ct_mark            CT_MARK      the number of the container
# ct_label[0..15]    ORIGIN_PORT  the port of the VIP that the connection was made to
CT_MARK: Final = whole("ct_mark")
CLIENT_MAC: Final = Subfield("ct_label", 0, 48, "client_mac")
CLIENT_PORT: Final = Subfield("ct_label", 48, 16, "client_port")
ORIGIN_PORT: Final = Subfield("ct_label", 0, 16, "origin_port")

# The low half of in_port: all that Open vSwitch's port numbers need, as wide as CLIENT_PORT.
IN_PORT_NUMBER: Final = Subfield("in_port", 0, 16)

# Subfields with a name of their own in texts for people.
NAMED: Final = (
    ENDPOINT,
    OUT_PORT,
    HAIRPIN,
    PORT_KNOWN,
    REPLY_SOURCE,
    REPLY_PORT,
    ASKING_PORT,
    REPLY_SOURCE6,
    SOURCE_SERVICE,
    TARGET_SERVICE,
    CLASS,
    CLIENT_MAC,
    CLIENT_PORT,
    ORIGIN_PORT,
)
