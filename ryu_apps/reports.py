"""From what a switch reports to our values: flows, groups, meters, errors, features.

The way back of `ryu_apps.wire`. What prewire would never have sent raises NotOurs. Flows and groups
are read from their bytes, and what `ryu_apps.flow_reader` does not know by the framework's parser.

Must not know: what was asked, or what becomes of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from openflow.fields import FIELDS, Subfield, whole
from openflow.values import (
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    FieldMatch,
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
    SetField,
    SetQueue,
    ToGroup,
)
from ryu_apps import flow_reader, oxm_reader
from ryu_apps.action_wire import NO_RECIRCULATION, SAME_PORT
from ryu_apps.entries import FlowEntry, GroupEntry
from ryu_apps.flow_reader import KINDS_OF_NAT, UNREADABLE
from ryu_apps.framework import nicira_ext, ofproto, parser
from ryu_apps.oxm_reader import OURS
from ryu_apps.wire import GROUP_KINDS

R = TypeVar("R")

# More parts of a multipart reply follow.
MORE: Final[int] = ofproto.OFPMPF_REPLY_MORE

_KINDS_OF_GROUP: Final = {number: kind for kind, number in GROUP_KINDS.items()}


class NotOurs(ValueError):
    """A flow, group or meter that uses what prewire never does: somebody else's."""


@dataclass(frozen=True, slots=True)
class SwitchError:
    """An OpenFlow error: its type and code in the specification's words."""

    kind: str
    code: str


def flow_of(reported: Any) -> Flow:
    """The flow of one entry of a flow statistics reply. NotOurs where prewire has no such thing."""
    if reported.hard_timeout or reported.flags:
        raise NotOurs("prewire's flows have no hard timeout and no flags")
    try:
        return Flow(
            reported.table_id,
            reported.priority,
            match_of(reported),
            _actions_of(reported),
            reported.cookie,
            reported.idle_timeout,
        )
    except ValueError as error:  # what prewire's own flows cannot be
        raise NotOurs(str(error)) from error


def group_of(reported: Any) -> Group:
    """The group of one entry of a group description reply. NotOurs likewise."""
    kind = _KINDS_OF_GROUP.get(reported.type)
    if kind is None:
        raise NotOurs(f"prewire has no groups of type {reported.type}")
    try:
        return Group(reported.group_id, kind, _buckets_of(reported, kind))
    except ValueError as error:
        raise NotOurs(str(error)) from error


def meter_of(reported: Any) -> Meter:
    """The meter of one entry of a meter configuration reply. NotOurs likewise."""
    if len(reported.bands) != 1 or reported.bands[0].type != ofproto.OFPMBT_DROP:
        raise NotOurs(f"meter {reported.meter_id} has bands other than one drop band")
    band = reported.bands[0]
    per_packet = bool(reported.flags & ofproto.OFPMF_PKTPS)
    burst = band.burst_size if reported.flags & ofproto.OFPMF_BURST else 0
    try:
        return Meter(reported.meter_id, band.rate, burst, per_packet)
    except ValueError as error:
        raise NotOurs(str(error)) from error


def error_of(message: Any) -> SwitchError:
    """What an OpenFlow error message says."""
    kind = ofproto.ofp_error_type_to_str(message.type)
    code = getattr(message, "code", None)
    if code is None:
        return SwitchError(kind, f"experimenter {message.experimenter:#x} {message.exp_type}")
    return SwitchError(kind, ofproto.ofp_error_code_to_str(message.type, code))


def has_select_groups(reported: Any) -> bool:
    """Whether a group features reply says that the switch has select groups."""
    return bool(reported.types & 1 << ofproto.OFPGT_SELECT)


def match_of(reported: Any) -> Match:
    """The match of one entry of a flow statistics reply. NotOurs likewise."""
    if isinstance(reported, FlowEntry):
        try:
            return oxm_reader.match_of(reported.match_bytes)
        except UNREADABLE:
            pass
    return _read(lambda: _read_match(reported.match))


def _actions_of(reported: Any) -> tuple[Action, ...]:
    if isinstance(reported, FlowEntry):
        try:
            return flow_reader.actions_of(reported.instructions_bytes)
        except UNREADABLE:
            pass
    return _read(lambda: _read_instructions(reported.instructions))


def _buckets_of(reported: Any, kind: GroupKind) -> tuple[Bucket, ...]:
    if isinstance(reported, GroupEntry):
        try:
            return flow_reader.buckets_of(reported.buckets_bytes, kind)
        except UNREADABLE:
            pass
    return _read(lambda: tuple(_read_bucket(bucket, kind) for bucket in reported.buckets))


def _read(read: Callable[[], R]) -> R:
    """What the framework's parser reads; what neither it nor we understand is NotOurs."""
    try:
        return read()
    except NotOurs:
        raise
    except Exception as error:  # it raises one thing or another
        raise NotOurs(f"cannot be read: {error!r}") from error


def _read_bucket(reported: Any, kind: GroupKind) -> Bucket:
    return Bucket(
        tuple(_read_action(action) for action in reported.actions),
        reported.weight if kind == "select" else 1,
        None if reported.watch_port == ofproto.OFPP_ANY else reported.watch_port,
    )


def _read_match(reported: Any) -> Match:
    entries = []
    for oxm, given in reported.items():
        name = _our_name(oxm)
        value, mask = given if isinstance(given, tuple) else (given, None)
        full = FIELDS[name].full_mask
        read_mask = full if mask is None else _read_value(name, mask)
        entries.append(FieldMatch(name, _read_value(name, value) & read_mask, read_mask))
    return Match(tuple(sorted(entries)))


def _our_name(oxm: str) -> str:
    if oxm not in OURS:
        raise NotOurs(f"prewire uses no field {oxm}")
    return OURS[oxm]


def _read_value(name: str, given: int | str) -> int:
    return FIELDS[name].form.read(given) if isinstance(given, str) else given


def _read_instructions(reported: Any) -> tuple[Action, ...]:
    actions: list[Action] = []
    for instruction in reported:
        if isinstance(instruction, parser.OFPInstructionMeter):
            actions.insert(0, ApplyMeter(instruction.meter_id))
        elif isinstance(instruction, parser.OFPInstructionGotoTable):
            actions.append(Goto(instruction.table_id))
        elif instruction.type == ofproto.OFPIT_APPLY_ACTIONS:
            actions += [_read_action(action) for action in instruction.actions]
        else:
            raise NotOurs(f"prewire uses no instruction {type(instruction).__name__}")
    return tuple(actions)


def _read_action(reported: Any) -> Action:  # noqa: PLR0911 - one return a kind of action
    match type(reported).__name__:
        case "OFPActionOutput":
            return Output(reported.port)
        case "NXActionOutputReg" | "NXActionOutputReg2":
            return OutputField(_read_bits(reported.src, reported.ofs_nbits))
        case "OFPActionSetField":
            name = _our_name(reported.key)
            return SetField(whole(name), _read_value(name, reported.value))
        case "NXActionRegLoad":
            return SetField(_read_bits(reported.dst, reported.ofs_nbits), reported.value)
        case "NXActionRegMove":
            return Move(
                Subfield(_our_name(reported.src_field), reported.src_ofs, reported.n_bits),
                Subfield(_our_name(reported.dst_field), reported.dst_ofs, reported.n_bits),
            )
        case "NXActionResubmitTable" if reported.in_port == SAME_PORT:
            return Resubmit(reported.table_id)
        case "OFPActionGroup":
            return ToGroup(reported.group_id)
        case "OFPActionSetQueue":
            return SetQueue(reported.queue_id)
        case "NXActionCT" if not reported.zone_src:
            return _read_ct(reported)
        case "NXActionCTClear":
            return CtClear()
        case other:
            raise NotOurs(f"prewire uses no action {other}")


def _read_bits(oxm: str, ofs_nbits: int) -> Subfield:
    return Subfield(_our_name(oxm), ofs_nbits >> 6, (ofs_nbits & 0x3F) + 1)


def _read_ct(reported: Any) -> Ct:
    if reported.flags & ~nicira_ext.NX_CT_F_COMMIT or reported.alg:
        raise NotOurs("prewire's ct has no flag but commit, and no helper")
    nested = [_read_nat(inner) or _read_action(inner) for inner in reported.actions]
    table = reported.recirc_table
    return Ct(
        reported.zone_ofs_nbits,
        None if table == NO_RECIRCULATION else table,
        bool(reported.flags & nicira_ext.NX_CT_F_COMMIT),
        next((inner for inner in nested if isinstance(inner, Nat)), None),
        tuple(inner for inner in nested if isinstance(inner, SetField | Move)),
    )


def _read_nat(reported: Any) -> Nat | None:
    if type(reported).__name__ != "NXActionNAT":
        return None
    if reported.flags not in KINDS_OF_NAT or reported.range_ipv4_max or reported.range_proto_max:
        raise NotOurs("prewire's NAT is to one address and port")
    if reported.range_ipv6_min:
        raise NotOurs("prewire's NAT is of IPv4")
    return Nat(
        KINDS_OF_NAT[reported.flags],
        _read_value("ip_dst", reported.range_ipv4_min or 0),
        reported.range_proto_min or 0,
    )
