"""From our values to OpenFlow 1.3 messages; `ryu_apps.reports` is the way back.

The two alone know the framework's message classes. A value that is encoded, installed and reported
is an equal value again (a test on a real switch holds that for every kind of rule).

Must not know: which messages to send, or when.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from openflow.fields import FIELDS, Subfield
from openflow.values import (
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
    NatKind,
    Output,
    OutputField,
    Resubmit,
    SetField,
    SetQueue,
    ToGroup,
)
from ryu_apps.framework import nicira_ext, ofproto, ofproto_protocol, parser

# Messages are built for a protocol version, not for a connection: their bytes can be kept.
_PROTOCOL: Final = ofproto_protocol.ProtocolDesc(version=ofproto.OFP_VERSION)

_FLOW_MOD: Final = struct.Struct("!BBHIQQBBHHHIIIH2x")  # ofp_flow_mod up to its match
_LENGTH: Final = struct.Struct("!H")
_LENGTH_OFFSET: Final = 2  # of the length in every OpenFlow message's header
SAME_PORT: Final = ofproto.OFPP_IN_PORT & 0xFFFF  # in_port of a resubmit is 16 bits wide
NO_RECIRCULATION: Final = nicira_ext.NX_CT_RECIRC_NONE
_IN_PORT_16: Final = "in_port_nxm"
_REQUIRED: Final = ("eth_type", "ip_proto")
GROUP_KINDS: Final[dict[GroupKind, int]] = {
    "all": ofproto.OFPGT_ALL,
    "select": ofproto.OFPGT_SELECT,
    "indirect": ofproto.OFPGT_INDIRECT,
    "ff": ofproto.OFPGT_FF,
}
# enum nx_nat_flags of Open vSwitch's nicira-ext.h, which the frameworks leave out.
NAT_FLAGS: Final[dict[NatKind, int]] = {"": 0, "src": 1, "dst": 2}


def flow_put(flow: Flow, xid: int) -> bytes:
    """Add the flow, or overwrite the one with the same table, priority and match."""
    return _flow_mod(flow, ofproto.OFPFC_ADD, xid)


def flow_delete(flow: Flow, xid: int) -> bytes:
    """Delete exactly this flow; a deletion names no actions."""
    return _flow_mod(replace(flow, actions=()), ofproto.OFPFC_DELETE_STRICT, xid)


def group_add(group: Group, xid: int) -> bytes:
    """Add a group that is not there."""
    return _group_mod(group, ofproto.OFPGC_ADD, xid)


def group_modify(group: Group, xid: int) -> bytes:
    """Replace all buckets of a group at once."""
    return _group_mod(group, ofproto.OFPGC_MODIFY, xid)


def group_delete(group: Group, xid: int) -> bytes:
    """Delete a group; the switch deletes flows that still name it."""
    message = parser.OFPGroupMod(
        _PROTOCOL, ofproto.OFPGC_DELETE, ofproto.OFPGT_SELECT, group.group_id, []
    )
    return _bytes(message, xid)


def meter_add(meter: Meter, xid: int) -> bytes:
    """Add a meter that is not there."""
    return _meter_mod(meter, ofproto.OFPMC_ADD, xid)


def meter_modify(meter: Meter, xid: int) -> bytes:
    """Change a meter; its counters start again at zero."""
    return _meter_mod(meter, ofproto.OFPMC_MODIFY, xid)


def meter_delete(meter: Meter, xid: int) -> bytes:
    """Delete a meter; the switch deletes flows that still name it."""
    return _meter_mod(meter, ofproto.OFPMC_DELETE, xid)


def barrier(xid: int) -> bytes:
    """The switch answers it when everything before it is done."""
    return _bytes(parser.OFPBarrierRequest(_PROTOCOL), xid)


def flows_request(xid: int, *, table: int | None = None, cookie: int = 0, mask: int = 0) -> bytes:
    """Ask for flows and their counters, of one table or all, whose cookie matches under mask."""
    message = parser.OFPFlowStatsRequest(
        _PROTOCOL,
        table_id=ofproto.OFPTT_ALL if table is None else table,
        cookie=cookie,
        cookie_mask=mask,
    )
    return _bytes(message, xid)


def groups_request(xid: int) -> bytes:
    """Ask for all groups."""
    return _bytes(parser.OFPGroupDescStatsRequest(_PROTOCOL, 0), xid)


def meters_request(xid: int) -> bytes:
    """Ask for all meters."""
    return _bytes(parser.OFPMeterConfigStatsRequest(_PROTOCOL, 0, ofproto.OFPM_ALL), xid)


def group_features_request(xid: int) -> bytes:
    """Ask which kinds of group the switch has."""
    return _bytes(parser.OFPGroupFeaturesStatsRequest(_PROTOCOL, 0), xid)


def group_stats_request(xid: int, group: int = ofproto.OFPG_ALL) -> bytes:
    """Ask for the counters of a group, or of all."""
    return _bytes(parser.OFPGroupStatsRequest(_PROTOCOL, 0, group), xid)


def port_stats_request(xid: int) -> bytes:
    """Ask for the counters of all ports."""
    return _bytes(parser.OFPPortStatsRequest(_PROTOCOL, 0, ofproto.OFPP_ANY), xid)


def meter_stats_request(xid: int, meter: int = ofproto.OFPM_ALL) -> bytes:
    """Ask for the counters of a meter, or of all."""
    return _bytes(parser.OFPMeterStatsRequest(_PROTOCOL, 0, meter), xid)


def queue_stats_request(xid: int, port: int | None = None, queue: int | None = None) -> bytes:
    """Ask for the counters of queues: of all ports unless one is given, and all queues likewise."""
    of_port = ofproto.OFPP_ANY if port is None else port
    of_queue = ofproto.OFPQ_ALL if queue is None else queue
    request = parser.OFPQueueStatsRequest(_PROTOCOL, 0, of_port, of_queue)
    return _bytes(request, xid)


def _bytes(message: Any, xid: int) -> bytes:
    message.set_xid(xid)
    message.serialize()
    return bytes(message.buf)


def _flow_mod(flow: Flow, command: int, xid: int) -> bytes:
    """A flow message made of kept parts: matches and actions recur, of flows put and deleted."""
    on, instructions = _match_bytes(flow.match), _instruction_bytes(flow.actions)
    fixed = _FLOW_MOD.pack(
        ofproto.OFP_VERSION,
        ofproto.OFPT_FLOW_MOD,
        _FLOW_MOD.size + len(on) + len(instructions),
        xid,
        flow.cookie,
        0,  # cookie mask
        flow.table,
        command,
        flow.idle_timeout,
        0,  # hard timeout
        flow.priority,
        ofproto.OFP_NO_BUFFER,
        ofproto.OFPP_ANY,
        ofproto.OFPG_ANY,
        0,  # flags
    )
    return fixed + on + instructions


def _group_mod(group: Group, command: int, xid: int) -> bytes:
    """A group message made of kept buckets: a slot table has many equal ones."""
    buckets = b"".join(_bucket(bucket, group.kind) for bucket in group.buckets)
    message = parser.OFPGroupMod(_PROTOCOL, command, GROUP_KINDS[group.kind], group.group_id, [])
    header = bytearray(_bytes(message, xid))
    _LENGTH.pack_into(header, _LENGTH_OFFSET, len(header) + len(buckets))
    return bytes(header) + buckets


@lru_cache(maxsize=1 << 16)
def _bucket(bucket: Bucket, kind: GroupKind) -> bytes:
    message = parser.OFPBucket(
        weight=bucket.weight if kind == "select" else 0,
        watch_port=ofproto.OFPP_ANY if bucket.watch_port is None else bucket.watch_port,
        watch_group=ofproto.OFPG_ANY,
        actions=[action_of(action) for action in bucket.actions],
    )
    encoded = bytearray()
    message.serialize(encoded, 0)
    return bytes(encoded.ljust(message.len, b"\0"))  # the frameworks leave padding to what follows


def _meter_mod(meter: Meter, command: int, xid: int) -> bytes:
    unit = ofproto.OFPMF_PKTPS if meter.per_packet else ofproto.OFPMF_KBPS
    burst = ofproto.OFPMF_BURST if meter.burst_kb else 0
    flags = unit | burst | ofproto.OFPMF_STATS
    bands = [parser.OFPMeterBandDrop(rate=meter.rate_kbps, burst_size=meter.burst_kb)]
    return _bytes(parser.OFPMeterMod(_PROTOCOL, command, flags, meter.meter_id, bands), xid)


@lru_cache(maxsize=1 << 16)
def _match_bytes(on: Match) -> bytes:
    encoded = bytearray()
    _match(on).serialize(encoded, 0)
    return bytes(encoded)


@lru_cache(maxsize=1 << 16)
def _instruction_bytes(actions: tuple[Action, ...]) -> bytes:
    encoded = bytearray()
    for instruction in _instructions(actions):
        instruction.serialize(encoded, len(encoded))
    return bytes(encoded)


def _match(on: Match) -> Any:
    """A match whose fields come after those that they require.

    The frameworks sort by number, which puts Open vSwitch's own fields before eth_type.
    """
    fields = []
    for entry in sorted(on, key=lambda entry: entry.field not in _REQUIRED):
        declared = FIELDS[entry.field]
        exact = entry.mask == declared.full_mask
        value = entry.value if exact else (entry.value, entry.mask)
        fields.append(ofproto.oxm_normalize_user(declared.oxm, value))
    return parser.OFPMatch(_ordered_fields=fields)


def _instructions(actions: tuple[Action, ...]) -> list[Any]:
    instructions, applied = [], list(actions)
    if applied and isinstance(applied[0], ApplyMeter):
        instructions.append(parser.OFPInstructionMeter(applied.pop(0).meter_id))  # type: ignore[union-attr]
    last = applied.pop().table if applied and isinstance(applied[-1], Goto) else None  # type: ignore[union-attr]
    if applied:
        encoded = [action_of(action) for action in applied]
        instructions.append(parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, encoded))
    if last is not None:
        instructions.append(parser.OFPInstructionGotoTable(last))
    return instructions


@lru_cache(maxsize=1 << 16)
def action_of(action: Action) -> Any:  # noqa: PLR0911 - one return a kind of action
    """The framework's message of an action; ValueError for what is an instruction."""
    match action:
        case Output(port):
            return parser.OFPActionOutput(port, ofproto.OFPCML_NO_BUFFER)
        case OutputField(source):
            return parser.NXActionOutputReg(_bits(source), FIELDS[source.field].oxm, 0)
        case SetField(target, value) if target.is_whole:
            # Open vSwitch takes in_port by its 16-bit name alone
            is_port = target.field == "in_port"
            name = _IN_PORT_16 if is_port else FIELDS[target.field].oxm
            return parser.OFPActionSetField(**{name: value})
        case SetField(target, value):
            return parser.NXActionRegLoad(_bits(target), _header(target), value)
        case Move(source, target):
            return parser.NXActionRegMove(
                src_field=_header(source),
                dst_field=_header(target),
                n_bits=source.bits,
                src_ofs=source.start,
                dst_ofs=target.start,
            )
        case Resubmit(table):
            return parser.NXActionResubmitTable(SAME_PORT, table)
        case ToGroup(group_id):
            return parser.OFPActionGroup(group_id)
        case SetQueue(queue_id):
            return parser.OFPActionSetQueue(queue_id)
        case Ct():
            return _ct(action)
        case CtClear():
            return parser.NXActionCTClear()
        case _:
            raise ValueError(f"{action} is an instruction: it stands first or last in a flow only")


def _ct(action: Ct) -> Any:
    nested = [action_of(inner) for inner in action.exec]
    if action.nat is not None:
        nested.append(_nat(action.nat))
    return parser.NXActionCT(
        flags=nicira_ext.NX_CT_F_COMMIT if action.commit else 0,
        zone_src="",
        zone_ofs_nbits=action.zone,
        recirc_table=NO_RECIRCULATION if action.table is None else action.table,
        alg=0,
        actions=nested,
    )


def _nat(nat: Nat) -> Any:
    address = FIELDS["ip_dst"].form.show(nat.address) if nat.address else ""
    return parser.NXActionNAT(
        flags=NAT_FLAGS[nat.kind], range_ipv4_min=address, range_proto_min=nat.port or None
    )


def _header(part: Subfield) -> str:
    """The field's name in a move or load; in_port's low half goes by its 16-bit name."""
    return _IN_PORT_16 if part.field == "in_port" and part.bits == 16 else FIELDS[part.field].oxm


def _bits(part: Subfield) -> int:
    return (part.start << 6) + part.bits - 1
