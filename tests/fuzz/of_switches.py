"""Targets: what switches send. OpenFlow messages, packets, and rows of their own database."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from nib.topology import Port
from openflow.parse import parse_flow, parse_group, parse_meter
from openflow.values import Flow, Group, Meter
from ryu_apps import lldp, neighbour_packets, punt_packets, reports, wire
from ryu_apps.attachments import attachments_of
from ryu_apps.entries import FlowEntry, GroupEntry
from ryu_apps.framework import ofproto, parser, port_name
from ryu_apps.lldp import Probe, probe_frame
from ryu_apps.policy_readings import flow_count, meter_count
from ryu_apps.ports import described
from ryu_apps.readings import counted_by
from tests.fuzz.taker import Taker
from tests.fuzz.target import Target

_GOLDEN: Final = Path(__file__).parent.parent / "golden"
_KEY: Final = b"k" * lldp.KEY_BYTES
_HEADER: Final = struct.Struct("!BBHI")
_MULTIPART: Final = struct.Struct("!HH4x")
_FLOW_STATS: Final = struct.Struct("!HBxIIHHHH4xQQQ")
_GROUP_DESC: Final = struct.Struct("!HBxI")
_FLOW_MOD: Final = 48  # bytes of a message up to its match, buckets, bands
_GROUP_MOD: Final = 16
_METER_MOD: Final = 16
_DATAPATH: Final = SimpleNamespace(ofproto=ofproto, ofproto_parser=parser, id=1)

# What a switch may send that an app of ours takes.
_TYPES: Final = (
    *("HELLO", "ERROR", "ECHO_REQUEST", "ECHO_REPLY", "FEATURES_REPLY", "PACKET_IN"),
    *("FLOW_REMOVED", "PORT_STATUS", "MULTIPART_REPLY", "BARRIER_REPLY", "ROLE_REPLY"),
    *("GET_CONFIG_REPLY", "GET_ASYNC_REPLY", "QUEUE_GET_CONFIG_REPLY", "EXPERIMENTER"),
)
_STATISTICS: Final = (
    *("FLOW", "GROUP_DESC", "GROUP", "GROUP_FEATURES", "METER_CONFIG", "METER", "METER_FEATURES"),
    *("PORT_STATS", "PORT_DESC", "QUEUE", "DESC", "TABLE", "TABLE_FEATURES", "AGGREGATE"),
)


# ------------------------------------------------------------------------------- messages


def _message(data: bytes) -> None:
    """A message as the framework would take it, then what our apps read of it."""
    taker = Taker(data)
    kind = taker.number(2**8 - 1)
    if kind < 128:
        kind = getattr(ofproto, f"OFPT_{_TYPES[kind % len(_TYPES)]}")
    body = taker.rest()
    message = _parsed(kind, body)
    if message is not None:
        _looked_at(message)


def _parsed(kind: int, body: bytes) -> Any:
    """None where the framework drops the message; it logs whatever its parser raises."""
    whole = _HEADER.pack(ofproto.OFP_VERSION, kind, _HEADER.size + len(body), 7) + body
    try:
        return parser.msg_parser(_DATAPATH, ofproto.OFP_VERSION, kind, len(whole), 7, whole)
    except Exception:
        return None


def _looked_at(message: Any) -> None:
    match type(message).__name__:
        case "OFPErrorMsg" | "OFPErrorExperimenterMsg":
            reports.error_of(message)
        case "OFPPacketIn":
            _of_packet(message.data)
        case "OFPPortStatus":
            _of_port(message.desc)
        case "OFPGroupFeaturesStatsReply":
            reports.has_select_groups(message.body)
        case "OFPSwitchFeatures" | "OFPRoleReply":
            str(message)
        case name if name in _READERS:
            read = _READERS[name]
            for entry in message.body:
                read(entry)


def _of_flow(entry: Any) -> None:
    for read in (reports.flow_of, counted_by, flow_count):
        try:
            read(entry)
        except reports.NotOurs:
            str(entry)  # as it is listed


def _of_group(entry: Any) -> None:
    try:
        reports.group_of(entry)
    except reports.NotOurs:
        str(entry)


def _of_meter(entry: Any) -> None:
    try:
        reports.meter_of(entry)
    except reports.NotOurs:
        str(entry)


def _of_port(port: Any) -> None:
    port_name(port)
    described("0000000000000001", port, {})


_READERS: Final[dict[str, Callable[[Any], object]]] = {
    "OFPFlowStatsReply": _of_flow,
    "OFPGroupDescStatsReply": _of_group,
    "OFPMeterConfigStatsReply": _of_meter,
    "OFPMeterStatsReply": meter_count,
    "OFPGroupStatsReply": lambda entry: [bucket.packet_count for bucket in entry.bucket_stats],
    "OFPPortDescStatsReply": _of_port,
    "OFPPortStatsReply": str,
    "OFPQueueStatsReply": str,
}


def _message_seeds() -> Iterator[bytes]:
    """Each type with a body of nothing, and real replies with entries."""
    yield from (bytes((place,)) + bytes(56) for place in range(len(_TYPES)))
    bodies = _reply_bodies()
    for each in _STATISTICS:
        head = _MULTIPART.pack(getattr(ofproto, f"OFPMP_{each}"), 0)
        yield bytes((_TYPES.index("MULTIPART_REPLY"),)) + head + bodies.get(each, bytes(80))
    port = struct.pack("!I4x6s2x16sIIIIIIII", 1, b"\2\0\0\0\0\1", b"veth1", 0, 0, 0, 0, 0, 0, 9, 9)
    yield bytes((_TYPES.index("PORT_STATUS"),)) + struct.pack("!B7x", 2) + port
    on = wire.flow_put(parse_flow("in_port=1 actions=drop"), 1)[_FLOW_MOD:]
    head = struct.pack("!IHBBQ", 0xFFFFFFFF, 60, 1, 0, 7)
    packet = next(_packet_seeds())
    yield bytes((_TYPES.index("PACKET_IN"),)) + head + on + b"\0\0" + packet
    yield bytes((_TYPES.index("ERROR"),)) + struct.pack("!HH", 5, 1) + bytes(64)
    yield bytes((_TYPES.index("HELLO"),)) + struct.pack("!HHI", 1, 8, 1 << 4)


def _reply_bodies() -> dict[str, bytes]:
    flows, groups, meters = _golden()
    bands = wire.meter_add(meters[0], 1)[_METER_MOD:]
    return {
        "FLOW": b"".join(map(_flow_entry, flows[:4])),
        "GROUP_DESC": b"".join(map(_group_entry, groups[:2])),
        "METER_CONFIG": struct.pack("!HHI", 8 + len(bands), 1, 1) + bands,
        "METER": struct.pack("!IH6xIQQII", 1, 56, 0, 1, 2, 3, 4) + bytes(16),
        "GROUP": struct.pack("!H2xII4xQQII", 56, 1, 1, 2, 3, 4, 5) + bytes(16),
        "PORT_DESC": struct.pack(
            "!I4x6s2x16sIIIIIIII", 1, b"\2\0\0\0\0\1", b"veth1", 0, 0, 0, 0, 0, 0, 9, 9
        ),
    }


# ------------------------------------------------------------------------------- entries


def _entry(data: bytes) -> None:
    """An entry of a reply with flows, or groups."""
    if data[:1] < b"\x80":
        _of_flow(FlowEntry.parser(data[1:], 0))
    else:
        _of_group(GroupEntry.parser(data[1:], 0))


def _entry_seeds() -> Iterator[bytes]:
    flows, groups, _ = _golden()
    yield from (b"\0" + _flow_entry(flow) for flow in flows[::8])
    yield from (b"\xff" + _group_entry(group)[:2000] for group in groups[::2])


def _flow_entry(flow: Flow) -> bytes:
    rest = wire.flow_put(flow, 1)[_FLOW_MOD:]
    numbers = (flow.table, 7, 8, flow.priority, flow.idle_timeout, 0, 0, flow.cookie, 1000, 2000)
    return _FLOW_STATS.pack(_FLOW_STATS.size + len(rest), *numbers) + rest


def _group_entry(group: Group) -> bytes:
    message = wire.group_add(group, 1)
    rest = message[_GROUP_MOD:]
    return _GROUP_DESC.pack(_GROUP_DESC.size + len(rest), message[10], group.group_id) + rest


def _golden() -> tuple[list[Flow], list[Group], list[Meter]]:
    """Rules of every kind that prewire makes."""
    flows: list[Flow] = []
    groups: list[Group] = []
    meters = [parse_meter("meter=1 kbps burst type=drop rate=1000 burst_size=100")]
    for file in sorted(_GOLDEN.glob("*.txt")):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("table="):
                flows.append(parse_flow(line))
    for kind in ("select", "all", "ff"):
        bucket = (
            "bucket=watch_port:1,actions=output:1"
            if kind == "ff"
            else ("bucket=actions=set_field:2->reg0,resubmit(,5)")
        )
        groups.append(parse_group(f"group_id=1,type={kind},{bucket}"))
    return flows, groups, meters


# ------------------------------------------------------------------------------- packets


def _packet(data: bytes) -> None:
    _of_packet(data)


def _of_packet(frame: bytes) -> None:
    frame = bytes(frame)
    neighbour_packets.read(frame)
    packet = punt_packets.read(frame)
    if packet is None:
        return
    assert len(packet.client) >= 13
    if packet.sequence or packet.flags:
        punt_packets.closing(packet)
        punt_packets.reset(packet)
    else:
        punt_packets.unreachable(packet)


def _packet_seeds() -> Iterator[bytes]:
    """ARP, neighbour discovery, TCP and UDP of both families, by hand: few bytes each."""
    macs = b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2"
    one, two = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, macs[6:], one, bytes(6), two)
    yield macs + b"\x08\x06" + arp
    six = b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2"
    sought = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, six[1], 1, 1, macs[6:])
    yield macs + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 32, 58, 255) + six[0] + six[1] + sought
    tcp = struct.pack("!HHIIBBHHH", 4000, 80, 1, 0, 5 << 4, 2, 1000, 0, 0)
    udp = struct.pack("!HHHH", 4000, 53, 12, 0) + b"abcd"
    for protocol, segment in ((6, tcp), (17, udp)):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, protocol, 0)
        yield macs + b"\x08\x00" + head + one + two + segment
        yield macs + b"\x81\x00\x00\x05\x08\x00" + head + one + two + segment
        head = struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64)
        yield macs + b"\x86\xdd" + head + six[0] + six[1] + segment
        head = struct.pack("!IHBB", 6 << 28, len(segment) + 8, 0, 64)
        yield (
            macs + b"\x86\xdd" + head + six[0] + six[1] + bytes((protocol, 0)) + bytes(6) + segment
        )


# ------------------------------------------------------------------------------- link probes


def _probe(data: bytes) -> None:
    """A frame as it is, and one of ours with another byte: never another probe than was signed."""
    lldp.read(data, _KEY)
    taker = Taker(data)
    dpid, port = f"{taker.number(2**64 - 1):016x}", taker.number(2**32 - 1)
    probe = Probe(dpid, port, taker.number(2**64 - 1))
    frame = bytearray(probe_frame(probe, "02:00:00:00:00:01", _KEY))
    assert lldp.read(bytes(frame), _KEY) == probe
    frame[taker.number(len(frame) - 1)] = taker.number(255)
    assert lldp.read(bytes(frame), _KEY) in ("foreign", "forged", probe)


def _probe_seeds() -> Iterator[bytes]:
    for dpid, port, sequence in itertools.product(("0" * 15 + "1", "f" * 16), (1, 2**31), (0, 9)):
        yield probe_frame(Probe(dpid, port, sequence), "02:00:00:00:00:01", _KEY)


# ------------------------------------------------------------------------------- its database


def _rows(data: bytes) -> None:
    """Bridge rows whose interfaces say any ids."""
    taker = Taker(data)
    bridges = []
    while not taker.is_empty:
        names = ("iface-id", "attached-mac", "")
        interfaces = [
            SimpleNamespace(
                name=f"veth{taker.number(3)}",
                external_ids={
                    taker.one_of(names) or taker.text(): taker.one_of(
                        ("02:00:00:00:00:01", "02:00:00:00:00:0A", taker.text(300))
                    )
                    for _ in range(taker.number(3))
                },
            )
            for _ in range(taker.number(3))
        ]
        port = SimpleNamespace(interfaces=interfaces)
        bridges.append(SimpleNamespace(datapath_id=["0" * 15 + "1"], ports=[port]))
    for place, said in attachments_of(bridges).items():
        Port(*place, 1, "02:00:00:00:00:01", said.iface_id, said.attached_mac, up=True)


TARGETS: Final = (
    Target("openflow-messages", _message, seeds=_message_seeds),
    Target("openflow-entries", _entry, (ValueError,), seeds=_entry_seeds),
    Target("link-probes", _probe, seeds=_probe_seeds),
    Target("packets", _packet, seeds=_packet_seeds),
    Target("switch-database", _rows),
)
