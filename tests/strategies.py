"""Hypothesis strategies for OpenFlow values that a switch takes: prerequisites hold.

A `kind` ("tcp", "arp", "any", ...) says what a flow matches; what it matches and writes beyond
that fits the kind. Reusable wherever a test needs flows, groups, meters or packets.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from hypothesis import strategies as st

from openflow.fields import (
    CT_STATE_BITS,
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    FIELDS,
    IN_PORT_NUMBER,
    NAMED,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    Subfield,
    whole,
)
from openflow.packet import Packet, packet
from openflow.values import (
    RESERVED_PORTS,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Flow,
    Goto,
    Group,
    GroupKind,
    Match,
    Meter,
    Move,
    Nat,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
    match,
)

GROUP_KINDS: Final[tuple[GroupKind, ...]] = ("select", "all", "indirect", "ff")
GROUP_NUMBERS: Final = (1, 2, 0x7000_0001)
METER_NUMBERS: Final = (1, 2, 7)
LAST_TABLE: Final = 253

_IP_HEADERS: Final = ("ip_src", "ip_dst", "ip_dscp", "ip_ecn", "nw_ttl")
_IPV6_HEADERS: Final = ("ipv6_src", "ipv6_dst", "ip_dscp", "ip_ecn", "nw_ttl")
_ARP_HEADERS: Final = ("arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha")
_IP: Final = {"eth_type": ETH_IP}
_IPV6: Final = {"eth_type": ETH_IPV6}
_ICMPV6: Final = _IPV6 | {"ip_proto": PROTO_ICMPV6}
_ND_HEADERS: Final = (*_IPV6_HEADERS, "nd_target", "nd_reserved", "nd_options_type")
_TCP: Final = {"ip_proto": PROTO_TCP}
_UDP: Final = {"ip_proto": PROTO_UDP}

KINDS: Final[dict[str, tuple[dict[str, int], tuple[str, ...]]]] = {
    "any": ({}, ()),
    "arp": ({"eth_type": ETH_ARP}, _ARP_HEADERS),
    "ip": (_IP, _IP_HEADERS),
    "esp": (_IP | {"ip_proto": 50}, _IP_HEADERS),
    "tcp": (_IP | _TCP, (*_IP_HEADERS, "tcp_src", "tcp_dst", "tcp_flags")),
    "udp": (_IP | _UDP, (*_IP_HEADERS, "udp_src", "udp_dst")),
    "icmp": (_IP | {"ip_proto": PROTO_ICMP}, (*_IP_HEADERS, "icmp_type", "icmp_code")),
    "ipv6": (_IPV6, _IPV6_HEADERS),
    "tcp6": (_IPV6 | _TCP, (*_IPV6_HEADERS, "tcp_src", "tcp_dst")),
    "udp6": (_IPV6 | _UDP, (*_IPV6_HEADERS, "udp_src", "udp_dst")),
    "icmp6": (_ICMPV6, (*_IPV6_HEADERS, "icmpv6_type", "icmpv6_code")),
    "solicitation": (
        _ICMPV6 | {"icmpv6_type": ND_SOLICITATION, "icmpv6_code": 0},
        (*_ND_HEADERS, "nd_sll"),
    ),
    "advertisement": (
        _ICMPV6 | {"icmpv6_type": ND_ADVERTISEMENT, "icmpv6_code": 0},
        (*_ND_HEADERS, "nd_tll"),
    ),
}
_REGISTERS: Final = tuple(f"reg{number}" for number in range(16))
_MATCHED_ANYWHERE: Final = (
    "in_port",
    "eth_src",
    "eth_dst",
    "metadata",
    "pkt_mark",
    "ct_state",
    "ct_zone",
    "ct_mark",
    "ct_label",
    *_REGISTERS,
)
_WRITTEN_ANYWHERE: Final = (
    "in_port",
    "eth_src",
    "eth_dst",
    "metadata",
    "pkt_mark",
    "xxreg0",
    "xxreg3",
    *_REGISTERS,
)
_READ_ONLY: Final = ("tcp_flags",)
# Open vSwitch takes these whole or not at all.
_UNMASKED: Final = (
    "in_port",
    "ip_dscp",
    "ip_ecn",
    "nw_ttl",
    "icmp_type",
    "icmp_code",
    "icmpv6_type",
    "icmpv6_code",
    "nd_reserved",
    "nd_options_type",
    "arp_op",
)
_UNMASKED_METADATA: Final = ("ct_zone",)
_FLAGS: Final = {"ct_state": 0xFF, "tcp_flags": 0x1FF}
# Of the 16 bits of arp_op Open vSwitch keeps 8; ports above are reserved.
_HIGHEST: Final = {"arp_op": 0xFF, "in_port": 0xFEFF} | _FLAGS


def highest(name: str) -> int:
    """The highest value of a field that a switch keeps as it is."""
    return _HIGHEST.get(name, FIELDS[name].full_mask)


ports = st.integers(1, 0xFEFF)
tables = st.integers(0, LAST_TABLE)
kinds = st.sampled_from(sorted(KINDS))


@st.composite
def matches(draw: st.DrawFn, kind: str) -> Match:
    """A match on packets of a kind, with masks where a field may have one."""
    required, headers = KINDS[kind]
    names = st.sampled_from((*_MATCHED_ANYWHERE, *headers))
    fields: dict[str, int | tuple[int, int]] = dict(required)
    for name in draw(st.lists(names, unique=True, max_size=4)):
        full = FIELDS[name].full_mask
        if name in _FLAGS:
            fields[name] = draw(st.integers(0, full)), draw(st.integers(1, _FLAGS[name]))
        elif name == "in_port":
            fields[name] = draw(ports)
        elif name in _UNMASKED + _UNMASKED_METADATA or draw(st.booleans()):
            fields[name] = draw(st.integers(0, highest(name)))
        else:
            fields[name] = draw(st.integers(0, full)), draw(masks(FIELDS[name].bits))
    return match(**fields)


def masks(bits: int) -> st.SearchStrategy[int]:
    """Any mask but 0, prefixes among them."""
    full = (1 << bits) - 1
    prefixes = st.integers(0, bits - 1).map(lambda zeros: full >> zeros << zeros)
    return st.one_of(prefixes, st.integers(1, full))


@st.composite
def subfields(draw: st.DrawFn, names: tuple[str, ...], bits: int | None = None) -> Subfield:
    """Bits of one of the fields: whole, a run of at most 64 bits, or one with a name."""
    wide = [name for name in names if FIELDS[name].bits >= (bits or 1)]
    name = draw(st.sampled_from(wide))
    named = [part for part in NAMED if part.field == name and bits in (None, part.bits)]
    is_special = draw(st.booleans())
    if named and is_special:
        return draw(st.sampled_from(named))
    field = whole(name)
    if bits is None and (name in _UNMASKED or is_special):
        return field
    length = bits or draw(st.integers(1, min(field.bits, 64)))
    return Subfield(name, draw(st.integers(0, field.bits - length)), length)


@st.composite
def set_fields(draw: st.DrawFn, names: tuple[str, ...]) -> SetField:
    target = draw(subfields(names))
    return SetField(target, draw(st.integers(0, min(target.mask, highest(target.field)))))


@st.composite
def moves(draw: st.DrawFn, sources: tuple[str, ...], targets: tuple[str, ...]) -> Move:
    """Between fields that may be read and written in parts."""
    target = draw(subfields(tuple(name for name in targets if name not in _UNMASKED)))
    if target.bits == IN_PORT_NUMBER.bits and draw(st.booleans()):
        return Move(IN_PORT_NUMBER, target)
    if target.bits == IN_PORT_NUMBER.bits and "in_port" in targets and draw(st.booleans()):
        return Move(target, IN_PORT_NUMBER)
    readable = tuple(name for name in sources if name not in _UNMASKED)
    wide = tuple(name for name in readable if FIELDS[name].bits >= target.bits)
    if not wide:
        target = Subfield("reg4", 0, 8)
        wide = readable
    return Move(draw(subfields(wide, target.bits)), target)


@st.composite
def ct_actions(draw: st.DrawFn, kind: str) -> Ct:
    """A ct action for an IPv4 or IPv6 flow; NAT to addresses only with commit and IPv4."""
    commit = draw(st.booleans())
    remembered = ("ct_mark", "ct_label")
    sources = ("eth_src", "ct_mark", "ct_label", *_REGISTERS)
    writes = st.one_of(set_fields(remembered), moves(sources, remembered))
    nats: list[st.SearchStrategy[Nat | None]] = [st.none(), st.just(Nat())]
    if commit and KINDS[kind][0].get("eth_type") == ETH_IP:
        port = st.integers(0, 65535) if kind in ("tcp", "udp") else st.just(0)
        address = st.integers(1, 2**32 - 1)
        nats.append(st.builds(Nat, st.sampled_from(("src", "dst")), address, port))
        nats.append(st.builds(Nat, st.sampled_from(("src", "dst"))))
    return Ct(
        zone=draw(st.integers(0, 65535)),
        table=draw(st.none() | tables),
        commit=commit,
        nat=draw(st.one_of(nats)),
        exec=tuple(draw(st.lists(writes, max_size=2))) if commit else (),
    )


@cache
def simple_actions(kind: str) -> st.SearchStrategy[Action]:
    """Actions that may stand anywhere, in a bucket too."""
    headers = tuple(name for name in KINDS[kind][1] if name not in _READ_ONLY)
    written = (*_WRITTEN_ANYWHERE, *headers)
    read = ("in_port", "ct_mark", "ct_label", *written)
    choices: list[st.SearchStrategy[Action]] = [
        st.builds(Output, st.one_of(ports, st.sampled_from(sorted(RESERVED_PORTS)))),
        set_fields(written),
        moves(read, written),
        st.builds(Resubmit, tables),
        st.builds(SetQueue, st.integers(0, 1000)),
        st.just(CtClear()),
    ]
    if KINDS[kind][0].get("eth_type") in (ETH_IP, ETH_IPV6):
        choices.append(ct_actions(kind))
    return st.one_of(choices)


@cache
def flow_actions(kind: str) -> st.SearchStrategy[Action]:
    """Actions that may stand anywhere in a flow of a kind."""
    to_register: st.SearchStrategy[Action] = st.builds(OutputField, subfields(_REGISTERS))
    to_group: st.SearchStrategy[Action] = st.builds(ToGroup, st.sampled_from(GROUP_NUMBERS))
    return st.one_of(simple_actions(kind), to_register, to_group)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """A flow of any kind; groups are of GROUP_NUMBERS and meters of METER_NUMBERS."""
    kind = draw(kinds)
    table = draw(tables)
    wanted = draw(matches(kind))
    actions = draw(st.lists(flow_actions(kind), max_size=5))
    state = wanted.get("ct_state")
    if state is not None and state.value & CT_STATE_BITS["inv"]:
        # Open vSwitch refuses to commit what a flow says to be invalid
        actions = [action for action in actions if not isinstance(action, Ct) or not action.commit]
    if draw(st.booleans()):
        actions.insert(0, ApplyMeter(draw(st.sampled_from(METER_NUMBERS))))
    if table < LAST_TABLE and draw(st.booleans()):
        actions.append(Goto(draw(st.integers(table + 1, LAST_TABLE))))
    return Flow(
        table,
        draw(st.integers(0, 65535)),
        wanted,
        tuple(actions),
        draw(st.one_of(st.just(0), st.integers(0, 2**64 - 2))),
        draw(st.one_of(st.just(0), st.integers(0, 65535))),
        draw(st.sampled_from(("", "service web", "container web/c1"))),
    )


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """A group whose buckets fit TCP packets. Only select has weights, only ff watches ports."""
    kind = draw(st.sampled_from(GROUP_KINDS))
    count = 1 if kind == "indirect" else draw(st.integers(1, 4))
    buckets = [
        Bucket(
            tuple(draw(st.lists(simple_actions("tcp"), max_size=4))),
            draw(st.integers(1, 65535)) if kind == "select" else 1,
            draw(ports) if kind == "ff" else None,
        )
        for _ in range(count)
    ]
    return Group(draw(st.integers(1, 0x7FFF_FFFF)), kind, tuple(buckets), "")


@st.composite
def meters(draw: st.DrawFn) -> Meter:
    burst = draw(st.one_of(st.just(0), st.integers(1, 2**32 - 1)))
    rate = draw(st.integers(1, 2**32 - 1))
    return Meter(draw(st.integers(1, 60_000)), rate, burst, draw(st.booleans()))


def rules() -> st.SearchStrategy[Rules]:
    return st.builds(
        Rules,
        st.lists(flows(), max_size=6).map(tuple),
        st.lists(groups(), max_size=3).map(tuple),
        st.lists(meters(), max_size=3).map(tuple),
    )


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """A packet of any kind with any headers, registers and conntrack fields."""
    required, headers = KINDS[draw(kinds)]
    names = (*_MATCHED_ANYWHERE, *headers, *(("eth_type",) if not required else ()))
    fields = dict(required)
    for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=8)):
        if name == "eth_type":
            fields[name] = draw(st.sampled_from((0x88CC, 0x8847)))
        elif name == "in_port":
            fields[name] = draw(ports)
        else:
            fields[name] = draw(st.integers(0, highest(name)))
    return packet(**fields)
