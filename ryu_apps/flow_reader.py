"""From bytes that a switch reports to our actions and buckets, quickly.

Reads what `ryu_apps.wire` writes, as `ryu_apps.reports` reads it through the framework's parser (a
test on a real switch holds the two equal). Flows are made of few distinct parts: each part is read
once and kept. Whatever is not read here raises one of UNREADABLE; the framework's parser may.

Must not know: whole flows and groups, whether something is prewire's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from openflow.fields import FIELDS, whole
from openflow.values import (
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Goto,
    GroupKind,
    Move,
    Nat,
    Output,
    OutputField,
    Resubmit,
    SetField,
    SetQueue,
    ToGroup,
)
from ryu_apps.action_wire import NAT_FLAGS, NO_RECIRCULATION, SAME_PORT
from ryu_apps.framework import nicira_ext, ofproto
from ryu_apps.oxm_reader import HEADER_SIZE, KEPT, bits_of, field, run_of

UNREADABLE: Final = (ValueError, IndexError, struct.error)
KINDS_OF_NAT: Final = {number: kind for kind, number in NAT_FLAGS.items()}
Reader = Callable[[bytes], Action]

_WHOLE: Final = {name: whole(name) for name in FIELDS}
_HEADER: Final = struct.Struct("!HH")  # type, length: of an instruction, an action
_BUCKET: Final = struct.Struct("!HHII4x")
_EXPERIMENTER: Final = struct.Struct("!4xIH")  # up to the subtype of a Nicira action
_NICIRA: Final = 0x2320
# Each action as a whole: unpacking fails unless it has just this length.
_LENGTH: Final = struct.Struct("!H")
_LIST: Final = 8  # bytes before the actions of an instruction, and the least that a part has
_NUMBER: Final = struct.Struct("!4xI")
_TABLE: Final = struct.Struct("!4xB3x")
_OUTPUT: Final = struct.Struct("!4xIH6x")
_OUTPUT_REG: Final = struct.Struct("!10xHIH6x")
_OUTPUT_REG2: Final = struct.Struct("!10xHHI6x")
_REG_LOAD: Final = struct.Struct("!10xHIQ")
_REG_MOVE: Final = struct.Struct("!10xHHHII")
_RESUBMIT: Final = struct.Struct("!10xHB3x")
_CT: Final = struct.Struct("!10xHIHB3xH")
_CT_CLEAR: Final = struct.Struct("!16x")
_NAT: Final = struct.Struct("!12xHH")
_ADDRESS: Final = struct.Struct("!I")


@lru_cache(KEPT)
def actions_of(raw: bytes) -> tuple[Action, ...]:
    """The actions of a flow's instructions."""
    actions: list[Action] = []
    for kind, part in _parts(raw):
        match kind:
            case ofproto.OFPIT_METER:
                actions.insert(0, ApplyMeter(*_NUMBER.unpack(part)))
            case ofproto.OFPIT_GOTO_TABLE:
                actions.append(Goto(*_TABLE.unpack(part)))
            case ofproto.OFPIT_APPLY_ACTIONS:
                actions += _actions(part[_LIST:])
            case _:
                raise ValueError(f"instruction {kind} is not read here")
    return tuple(actions)


def buckets_of(raw: bytes, kind: GroupKind) -> tuple[Bucket, ...]:
    """The buckets of a group."""
    buckets = []
    at = 0
    while at < len(raw):
        (length,) = _LENGTH.unpack_from(raw, at)
        if length < _BUCKET.size:
            raise ValueError(f"a bucket of {length} bytes")
        buckets.append(_bucket(raw[at : at + length], kind))
        at += length
    return tuple(buckets)


@lru_cache(1 << 8)  # a table repeats a bucket up to 256 times
def _bucket(raw: bytes, kind: GroupKind) -> Bucket:
    length, weight, watch_port, _ = _BUCKET.unpack_from(raw)
    if length != len(raw):
        raise ValueError("a bucket is cut off")
    return Bucket(
        tuple(_actions(raw[_BUCKET.size :])),
        weight if kind == "select" else 1,
        None if watch_port == ofproto.OFPP_ANY else watch_port,
    )


def _parts(raw: bytes) -> list[tuple[int, bytes]]:
    """Type and bytes of each instruction or action, header and all."""
    parts = []
    at, size = 0, len(raw)
    while at < size:
        kind, length = _HEADER.unpack_from(raw, at)
        end = at + length
        if length < _LIST or end > size:
            raise ValueError(f"a part of {length} bytes where {size - at} are left")
        parts.append((kind, raw[at:end]))
        at = end
    return parts


def _actions(raw: bytes) -> list[Action]:
    return [_action(part) for _, part in _parts(raw)]


@lru_cache(KEPT)
def _action(raw: bytes) -> Action:
    kind, _ = _HEADER.unpack_from(raw)
    if kind == ofproto.OFPAT_EXPERIMENTER:
        return _reader(_NICIRA_ACTIONS, _subtype(raw))(raw)
    return _reader(_ACTIONS, kind)(raw)


def _reader(readers: dict[int, Reader], kind: int) -> Reader:
    if kind not in readers:
        raise ValueError(f"action {kind} is not read here")
    return readers[kind]


def _subtype(raw: bytes) -> int:
    vendor, subtype = _EXPERIMENTER.unpack_from(raw)
    if vendor != _NICIRA:
        raise ValueError(f"actions of {vendor:#x} are not read here")
    return int(subtype)


def _output(raw: bytes) -> Output:
    port, _ = _OUTPUT.unpack(raw)
    return Output(port)


def _set_field(raw: bytes) -> SetField:
    length = HEADER_SIZE + raw[_HEADER.size + 3]
    name, value, mask = field(raw[_HEADER.size : _HEADER.size + length])
    if mask is not None:
        raise ValueError("OpenFlow 1.3 sets whole fields")
    return SetField(_WHOLE[name], value)


def _output_reg(raw: bytes) -> OutputField:
    ofs_nbits, header, _ = _OUTPUT_REG.unpack(raw)
    return OutputField(run_of(header, ofs_nbits))


def _output_reg2(raw: bytes) -> OutputField:
    ofs_nbits, _, header = _OUTPUT_REG2.unpack(raw)
    return OutputField(run_of(header, ofs_nbits))


def _reg_load(raw: bytes) -> SetField:
    ofs_nbits, header, value = _REG_LOAD.unpack(raw)
    return SetField(run_of(header, ofs_nbits), value)


def _reg_move(raw: bytes) -> Move:
    bits, source_start, target_start, source, target = _REG_MOVE.unpack(raw)
    return Move(bits_of(source, source_start, bits), bits_of(target, target_start, bits))


def _resubmit(raw: bytes) -> Resubmit:
    port, table = _RESUBMIT.unpack(raw)
    if port != SAME_PORT:
        raise ValueError("prewire resubmits from the same port")
    return Resubmit(table)


def _ct(raw: bytes) -> Ct:
    flags, zone_source, zone, table, helper = _CT.unpack_from(raw)
    if flags & ~nicira_ext.NX_CT_F_COMMIT or zone_source or helper:
        raise ValueError("prewire's ct has no flag but commit, a constant zone, and no helper")
    nested = [_nat_or_action(part) for _, part in _parts(raw[_CT.size :])]
    return Ct(
        zone,
        None if table == NO_RECIRCULATION else table,
        bool(flags & nicira_ext.NX_CT_F_COMMIT),
        next((inner for inner in nested if isinstance(inner, Nat)), None),
        tuple(inner for inner in nested if isinstance(inner, SetField | Move)),
    )


def _nat_or_action(raw: bytes) -> Nat | Action:
    kind, _ = _HEADER.unpack_from(raw)
    is_nat = kind == ofproto.OFPAT_EXPERIMENTER and _subtype(raw) == nicira_ext.NXAST_NAT
    return _nat(raw) if is_nat else _action(raw)


def _nat(raw: bytes) -> Nat:
    flags, present = _NAT.unpack_from(raw)
    read = nicira_ext.NX_NAT_RANGE_IPV4_MIN | nicira_ext.NX_NAT_RANGE_PROTO_MIN
    if flags not in KINDS_OF_NAT or present & ~read:
        raise ValueError("prewire's NAT is to one IPv4 address and port")
    address = port = 0
    at = _NAT.size
    if present & nicira_ext.NX_NAT_RANGE_IPV4_MIN:
        (address,) = _ADDRESS.unpack_from(raw, at)
        at += _ADDRESS.size
    if present & nicira_ext.NX_NAT_RANGE_PROTO_MIN:
        (port,) = _LENGTH.unpack_from(raw, at)
    return Nat(KINDS_OF_NAT[flags], address, port)


def _ct_clear(raw: bytes) -> CtClear:
    _CT_CLEAR.unpack(raw)
    return CtClear()


_ACTIONS: Final[dict[int, Reader]] = {
    ofproto.OFPAT_OUTPUT: _output,
    ofproto.OFPAT_SET_FIELD: _set_field,
    ofproto.OFPAT_GROUP: lambda raw: ToGroup(*_NUMBER.unpack(raw)),
    ofproto.OFPAT_SET_QUEUE: lambda raw: SetQueue(*_NUMBER.unpack(raw)),
}
_NICIRA_ACTIONS: Final[dict[int, Reader]] = {
    nicira_ext.NXAST_OUTPUT_REG: _output_reg,
    nicira_ext.NXAST_OUTPUT_REG2: _output_reg2,
    nicira_ext.NXAST_REG_LOAD: _reg_load,
    nicira_ext.NXAST_REG_MOVE: _reg_move,
    nicira_ext.NXAST_RESUBMIT_TABLE: _resubmit,
    nicira_ext.NXAST_CT: _ct,
    nicira_ext.NXAST_CT_CLEAR: _ct_clear,
}
