"""From our matches, actions and buckets to OpenFlow 1.3 bytes, quickly; `flow_reader` is the way
back.

A switch may be sent hundreds of thousands of flows at once, and the framework takes some 80
microseconds for each. What differs between them, values of fields, is written here; the rest is
asked of the framework once and kept. The bytes are the framework's own (a property test holds
that).

Must not know: whole messages, what the flows are for.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from typing import Final, NamedTuple

from openflow.fields import FIELDS
from openflow.values import (
    Action,
    ApplyMeter,
    Bucket,
    FieldMatch,
    Goto,
    GroupKind,
    Match,
    SetField,
)
from ryu_apps.action_wire import PORT_16, action_of
from ryu_apps.framework import ofproto

_REQUIRED: Final = frozenset({"eth_type", "ip_proto"})
_MATCH: Final = struct.Struct("!HH")  # type, length without padding
_OXM: Final = struct.Struct("!HBB")  # class; field and whether masked; length of what follows
_ACTION: Final = struct.Struct("!HH")  # type, length with padding
_METER: Final = struct.Struct("!HHI")
_ACTIONS: Final = struct.Struct("!HH4x")
_GOTO: Final = struct.Struct("!HHB3x")
_BUCKET: Final = struct.Struct("!HHII4x")
_PADDING: Final = tuple(b"\0" * size for size in range(8))


class _Form(NamedTuple):
    """How a field is written: its header, exact and masked, and the size of its value in bytes."""

    exact: bytes
    masked: bytes
    size: int


def match_bytes(on: Match) -> bytes:
    """An ofp_match, padded. Fields come after those that they require.

    The frameworks sort by number, which puts Open vSwitch's own fields before eth_type.
    """
    required = [_entry_bytes(entry) for entry in on.entries if entry.field in _REQUIRED]
    others = [_entry_bytes(entry) for entry in on.entries if entry.field not in _REQUIRED]
    fields = b"".join(required + others)
    length = _MATCH.size + len(fields)
    return _MATCH.pack(ofproto.OFPMT_OXM, length) + fields + _PADDING[-length % 8]


def instructions_bytes(actions: tuple[Action, ...]) -> bytes:
    """The instructions of a flow's actions; b"" for a flow that drops."""
    parts = []
    start, end = 0, len(actions)
    if actions and isinstance(actions[0], ApplyMeter):
        parts.append(_METER.pack(ofproto.OFPIT_METER, _METER.size, actions[0].meter_id))
        start = 1
    last = actions[-1] if start < end else None
    if isinstance(last, Goto):
        end -= 1
    if start < end:
        applied = b"".join([action_bytes(action) for action in actions[start:end]])
        parts.append(_ACTIONS.pack(ofproto.OFPIT_APPLY_ACTIONS, _ACTIONS.size + len(applied)))
        parts.append(applied)
    if isinstance(last, Goto):
        parts.append(_GOTO.pack(ofproto.OFPIT_GOTO_TABLE, _GOTO.size, last.table))
    return b"".join(parts)


def action_bytes(action: Action) -> bytes:
    """One action, padded. ValueError for what is an instruction."""
    if isinstance(action, SetField) and action.target.is_whole:
        start, size, padding = _set_field(action.target.field)
        return start + action.value.to_bytes(size, "big") + padding
    return _kept_action(action)


def bucket_bytes(bucket: Bucket, kind: GroupKind) -> bytes:
    """An ofp_bucket."""
    actions = b"".join([action_bytes(action) for action in bucket.actions])
    return (
        _BUCKET.pack(
            _BUCKET.size + len(actions),
            bucket.weight if kind == "select" else 0,
            ofproto.OFPP_ANY if bucket.watch_port is None else bucket.watch_port,
            ofproto.OFPG_ANY,
        )
        + actions
    )


def _entry_bytes(entry: FieldMatch) -> bytes:
    form = _form(FIELDS[entry.field].oxm)
    value = entry.value.to_bytes(form.size, "big")
    if entry.mask == FIELDS[entry.field].full_mask:
        return form.exact + value
    return form.masked + value + entry.mask.to_bytes(form.size, "big")


@cache
def _form(oxm: str) -> _Form:
    """Of a field by the framework's name."""
    header = bytearray()
    ofproto.oxm_serialize_header(ofproto.oxm_from_user_header(oxm), header, 0)
    kind, number, size = _OXM.unpack(header)
    return _Form(bytes(header), _OXM.pack(kind, number | 1, 2 * size), size)


@cache
def _set_field(name: str) -> tuple[bytes, int, bytes]:
    """Of the action that writes a whole field: what is before the value, its size, padding.

    Open vSwitch takes in_port by its 16-bit name alone.
    """
    form = _form(PORT_16 if name == "in_port" else FIELDS[name].oxm)
    length = _ACTION.size + len(form.exact) + form.size
    padding = _PADDING[-length % 8]
    start = _ACTION.pack(ofproto.OFPAT_SET_FIELD, length + len(padding)) + form.exact
    return start, form.size, padding


@lru_cache(maxsize=1 << 11)
def _kept_action(action: Action) -> bytes:
    message = action_of(action)
    encoded = bytearray()
    message.serialize(encoded, 0)
    return bytes(encoded.ljust(message.len, b"\0"))  # the frameworks leave padding to what follows
