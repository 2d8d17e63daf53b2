"""Reads what `ovs-appctl ofproto/trace` prints: lookups, buckets, and packets as they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from openflow.fields import FIELDS
from openflow.packet import Packet, parse_packet
from openflow.values import CONTROLLER, LOCAL

_LOOKUP: Final = re.compile(
    r"^ *(\d+)\. (?:No match\.|(?:.*, )?priority (\d+)(?:, cookie 0x[0-9a-f]+)?)$"
)
_GROUP: Final = re.compile(r"^ *group:(\d+)$")
_CHOSEN: Final = re.compile(r"^ *-> using bucket (\d+)$")
_BUCKET: Final = re.compile(r"^ *bucket (\d+)$")

# Words of a trace's "Flow:" line that say nothing of a Packet's fields.
_NOT_OURS: Final = {
    "recirc_id",
    "dp_hash",
    "skb_priority",
    "vlan_tci",
    "nw_frag",
    "eth",
    "ipv6_label",
}

# Header fields that this line leaves out, whatever the packet.
UNSHOWN: Final = ("nd_reserved", "nd_options_type")

# How the datapath's keys and their members are called here; the order is that of the datapath.
_KEYS: Final = {
    ("eth", "src"): "eth_src",
    ("eth", "dst"): "eth_dst",
    ("ipv4", "src"): "ip_src",
    ("ipv4", "dst"): "ip_dst",
    ("ipv4", "ttl"): "nw_ttl",
    ("ipv6", "src"): "ipv6_src",
    ("ipv6", "dst"): "ipv6_dst",
    ("ipv6", "hlimit"): "nw_ttl",
    ("icmpv6", "type"): "icmpv6_type",
    ("icmpv6", "code"): "icmpv6_code",
    ("nd", "target"): "nd_target",
    ("nd", "sll"): "nd_sll",
    ("nd", "tll"): "nd_tll",
    ("nd_ext", "nd_reserved"): "nd_reserved",
    ("nd_ext", "nd_options_type"): "nd_options_type",
    ("tcp", "src"): "tcp_src",
    ("tcp", "dst"): "tcp_dst",
    ("udp", "src"): "udp_src",
    ("udp", "dst"): "udp_dst",
    ("icmp", "type"): "icmp_type",
    ("icmp", "code"): "icmp_code",
    ("arp", "sip"): "arp_spa",
    ("arp", "tip"): "arp_tpa",
    ("arp", "op"): "arp_op",
    ("arp", "sha"): "arp_sha",
    ("arp", "tha"): "arp_tha",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """A packet that leaves: the datapath's outputs, one each, with the headers at that moment."""

    port: int
    queue: int
    packet: Packet


@dataclass(frozen=True, slots=True)
class Pass:
    """The packet's way from its entry, or from conntrack, to the end.

    start: the packet as the pass begins; queue: the one it has then.
    lookups: table and priority, None for a miss; buckets: places, in the order they were run.
    """

    start: Packet
    queue: int
    lookups: tuple[tuple[int, int | None], ...]
    buckets: tuple[int, ...]
    datapath: str
    error: str


def passes(text: str) -> tuple[Pass, ...]:
    """The passes of a trace, in the order printed: breadth first over conntrack's copies."""
    return tuple(_pass(part.splitlines()) for part in re.split(r"(?m)^Flow: ", text)[1:])


def chosen_buckets(text: str) -> dict[int, int]:
    """Which bucket each select or fast-failover group of a trace used."""
    chosen: dict[int, int] = {}
    groups: list[int] = []
    for line in text.splitlines():
        if found := _GROUP.match(line):
            groups.append(int(found[1]))
        elif found := _CHOSEN.match(line):
            chosen[groups[-1]] = int(found[1])
    return chosen


def departures(traced: Pass, ports: dict[int, int]) -> Iterator[Departure]:
    """What leaves by the datapath's actions. ports: OpenFlow's numbers by the datapath's."""
    packet, queue = traced.start, traced.queue
    for action in _split(traced.datapath):
        name, _, argument = action.partition("(")
        if action.isdigit():
            yield Departure(ports[int(action)], queue, packet)
        elif name == "userspace":
            yield Departure(CONTROLLER, queue, packet)
        elif name == "set" and argument.startswith("skb_priority"):
            queue = int(argument[13:-2], 0)
        elif name == "set":
            packet = _set(packet, argument[:-1])


def datapath_ports(show: str) -> dict[int, int]:
    """OpenFlow port numbers by the datapath's, from the output of dpif/show."""
    rows = re.findall(r"^\s+\S+ (\d+)/(\d+): ", show, re.MULTILINE)
    return {int(there): LOCAL if int(here) == 65534 else int(here) for here, there in rows}


def _pass(lines: list[str]) -> Pass:
    found = [match for line in lines if (match := _LOOKUP.match(line))]
    actions = next(line for line in lines if line.startswith("Datapath actions: "))
    words = lines[0].split(",")
    queues = [word for word in words if word.startswith("skb_priority=")]
    return Pass(
        parse_packet(",".join(word for word in words if word.partition("=")[0] not in _NOT_OURS)),
        int(queues[0].partition("=")[2], 0) if queues else 0,
        tuple((int(hit[1]), None if hit[2] is None else int(hit[2])) for hit in found),
        tuple(int(match[1]) for line in lines if (match := _BUCKET.match(line))),
        actions.removeprefix("Datapath actions: "),
        next((line for line in lines if line.startswith("Translation failed")), ""),
    )


def _set(packet: Packet, key: str) -> Packet:
    """Apply `eth(src=...,dst=...)`, a key of the datapath."""
    name, _, members = key.partition("(")
    if name == "skb_mark":
        return packet.having(pkt_mark=int(members[:-1].partition("/")[0], 0))
    for member in members[:-1].split(","):
        part, _, shown = member.partition("=")
        value, _, mask = shown.partition("/")
        if (name, part) in (("ipv4", "tos"), ("ipv6", "tclass")):
            packet = _set_tos(packet, int(value, 0), int(mask or "0xff", 0))
        elif (name, part) in _KEYS:
            field = FIELDS[_KEYS[name, part]]
            kept = field.full_mask ^ field.form.read(mask) if mask else 0
            new = field.form.read(value) | packet[field.name] & kept
            packet = packet.having(**{field.name: new})
    return packet


def _set_tos(packet: Packet, value: int, mask: int) -> Packet:
    old = packet["ip_dscp"] << 2 | packet["ip_ecn"]
    new = value & mask | old & ~mask
    return packet.having(ip_dscp=new >> 2, ip_ecn=new & 3)


def _split(text: str) -> Iterator[str]:
    """At commas outside brackets."""
    word, depth = "", 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield word
            word = ""
        else:
            word += letter
    yield word
