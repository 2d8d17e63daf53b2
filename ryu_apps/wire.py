"""From our values to OpenFlow 1.3 messages; `ryu_apps.reports` is the way back.

The two alone know the framework's message classes. A value that is encoded, installed and reported
is an equal value again (a test on a real switch holds that for every kind of rule).

Must not know: which messages to send, or when.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from openflow.cookies import with_epoch
from openflow.values import Flow, Group, GroupKind, Meter
from ryu_apps.flow_writer import bucket_bytes, instructions_bytes, match_bytes
from ryu_apps.framework import ofproto, ofproto_protocol, parser

# Messages are built for a protocol version, not for a connection: their bytes can be kept.
_PROTOCOL: Final = ofproto_protocol.ProtocolDesc(version=ofproto.OFP_VERSION)

_FLOW_MOD: Final = struct.Struct("!BBHIQQBBHHHIIIH2x")  # ofp_flow_mod up to its match
_GROUP_MOD: Final = struct.Struct("!BBHIHBxI")  # ofp_group_mod up to its buckets
GROUP_KINDS: Final[dict[GroupKind, int]] = {
    "all": ofproto.OFPGT_ALL,
    "select": ofproto.OFPGT_SELECT,
    "indirect": ofproto.OFPGT_INDIRECT,
    "ff": ofproto.OFPGT_FF,
}


def flow_put(flow: Flow, xid: int, epoch: int | None = None) -> bytes:
    """Add the flow, or overwrite the one with the same table, priority and match.

    epoch: to be stamped into its cookie; None: it has one.
    """
    cookie = flow.cookie if epoch is None else with_epoch(flow.cookie, epoch)
    return _flow_mod(flow, ofproto.OFPFC_ADD, xid, cookie, instructions_bytes(flow.actions))


def flow_delete(flow: Flow, xid: int) -> bytes:
    """Delete exactly this flow; a deletion names no actions."""
    return _flow_mod(flow, ofproto.OFPFC_DELETE_STRICT, xid, flow.cookie, b"")


def group_add(group: Group, xid: int) -> bytes:
    """Add a group that is not there."""
    return _group_mod(group, ofproto.OFPGC_ADD, xid)


def group_modify(group: Group, xid: int) -> bytes:
    """Replace all buckets of a group at once."""
    return _group_mod(group, ofproto.OFPGC_MODIFY, xid)


def group_delete(group: Group, xid: int) -> bytes:
    """Delete a group; the switch deletes flows that still name it."""
    return _group_message(ofproto.OFPGC_DELETE, "select", group.group_id, xid, b"")


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


def _flow_mod(flow: Flow, command: int, xid: int, cookie: int, instructions: bytes) -> bytes:
    on = match_bytes(flow.match)
    fixed = _FLOW_MOD.pack(
        ofproto.OFP_VERSION,
        ofproto.OFPT_FLOW_MOD,
        _FLOW_MOD.size + len(on) + len(instructions),
        xid,
        cookie,
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
    """A slot table repeats few buckets many times, each the same object: it is encoded once."""
    distinct = {id(bucket): bucket for bucket in group.buckets}
    encoded = {place: bucket_bytes(bucket, group.kind) for place, bucket in distinct.items()}
    buckets = b"".join([encoded[id(bucket)] for bucket in group.buckets])
    return _group_message(command, group.kind, group.group_id, xid, buckets)


def _group_message(command: int, kind: GroupKind, group_id: int, xid: int, buckets: bytes) -> bytes:
    return (
        _GROUP_MOD.pack(
            ofproto.OFP_VERSION,
            ofproto.OFPT_GROUP_MOD,
            _GROUP_MOD.size + len(buckets),
            xid,
            command,
            GROUP_KINDS[kind],
            group_id,
        )
        + buckets
    )


def _meter_mod(meter: Meter, command: int, xid: int) -> bytes:
    unit = ofproto.OFPMF_PKTPS if meter.per_packet else ofproto.OFPMF_KBPS
    burst = ofproto.OFPMF_BURST if meter.burst_kb else 0
    flags = unit | burst | ofproto.OFPMF_STATS
    bands = [parser.OFPMeterBandDrop(rate=meter.rate_kbps, burst_size=meter.burst_kb)]
    return _bytes(parser.OFPMeterMod(_PROTOCOL, command, flags, meter.meter_id, bands), xid)
