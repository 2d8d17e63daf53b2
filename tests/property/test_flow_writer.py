"""What `ryu_apps.flow_writer` writes is what the framework writes of the same values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from openflow.fields import FIELDS
from openflow.values import (
    Action,
    ApplyMeter,
    Flow,
    Goto,
    Group,
    Match,
    Output,
    SetField,
    match,
    set_field,
)
from ryu_apps import wire
from ryu_apps.action_wire import action_of
from ryu_apps.flow_writer import action_bytes, bucket_bytes, instructions_bytes, match_bytes
from ryu_apps.framework import ofproto, ofproto_protocol, parser
from tests.strategies import flows, groups

PROTOCOL = ofproto_protocol.ProtocolDesc(version=ofproto.OFP_VERSION)
REQUIRED = ("eth_type", "ip_proto")


def framework_match(on: Match) -> Any:
    """The framework's match, with what fields require before them."""
    fields = []
    for entry in sorted(on, key=lambda entry: entry.field not in REQUIRED):
        declared = FIELDS[entry.field]
        exact = entry.mask == declared.full_mask
        value = entry.value if exact else (entry.value, entry.mask)
        fields.append(ofproto.oxm_normalize_user(declared.oxm, value))
    return parser.OFPMatch(_ordered_fields=fields)


def framework_instructions(actions: tuple[Action, ...]) -> list[Any]:
    found: list[Any] = []
    applied = []
    after = []
    for action in actions:
        if isinstance(action, ApplyMeter):
            found.append(parser.OFPInstructionMeter(action.meter_id))
        elif isinstance(action, Goto):
            after.append(parser.OFPInstructionGotoTable(action.table))
        else:
            applied.append(action_of(action))
    if applied:
        found.append(parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, applied))
    return found + after


def written(part: Any) -> bytes:
    encoded = bytearray()
    part.serialize(encoded, 0)
    return bytes(encoded)


@given(flows())
def test_matches(flow: Flow) -> None:
    assert match_bytes(flow.match) == written(framework_match(flow.match))


@given(flows())
def test_instructions(flow: Flow) -> None:
    expected = b"".join(written(each) for each in framework_instructions(flow.actions))
    assert instructions_bytes(flow.actions) == expected


@given(flows())
def test_messages(flow: Flow) -> None:
    message = parser.OFPFlowMod(
        PROTOCOL,
        cookie=flow.cookie,
        table_id=flow.table,
        command=ofproto.OFPFC_ADD,
        idle_timeout=flow.idle_timeout,
        priority=flow.priority,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
        match=framework_match(flow.match),
        instructions=framework_instructions(flow.actions),
    )
    message.set_xid(7)
    message.serialize()
    assert wire.flow_put(flow, 7) == bytes(message.buf)


@given(groups())
def test_buckets(group: Group) -> None:
    for bucket in group.buckets:
        message = parser.OFPBucket(
            weight=bucket.weight if group.kind == "select" else 0,
            watch_port=ofproto.OFPP_ANY if bucket.watch_port is None else bucket.watch_port,
            watch_group=ofproto.OFPG_ANY,
            actions=[action_of(action) for action in bucket.actions],
        )
        expected = written(message).ljust(message.len, b"\0")  # the last action's own padding
        assert bucket_bytes(bucket, group.kind) == expected


@given(groups())
def test_group_messages(group: Group) -> None:
    parts = (group.group_id, group.kind, group.buckets)
    message = parser.OFPGroupMod(
        PROTOCOL, ofproto.OFPGC_ADD, wire.GROUP_KINDS[group.kind], group.group_id, []
    )
    message.set_xid(7)
    message.serialize()
    buckets = b"".join(bucket_bytes(bucket, group.kind) for bucket in parts[2])
    header = bytes(message.buf)
    length = (len(header) + len(buckets)).to_bytes(2, "big")
    assert wire.group_add(group, 7) == header[:2] + length + header[4:] + buckets


@pytest.mark.parametrize("name", [name for name in FIELDS if not name.startswith("xxreg")])
def test_every_field_exact_and_masked(name: str) -> None:
    full = FIELDS[name].full_mask
    for given_value in (full, 0, (full & 0x55, full >> 1 or 1)):
        on = match(**{name: given_value})
        assert match_bytes(on) == written(framework_match(on))


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "in_port"])
def test_every_field_set(name: str) -> None:
    action = set_field(name, FIELDS[name].full_mask)
    assert isinstance(action, SetField)
    assert action_bytes(action) == written(action_of(action))


def test_an_instruction_is_no_action() -> None:
    with pytest.raises(ValueError, match="instruction"):
        action_bytes(Goto(5))
    assert action_bytes(Output(1)) == written(action_of(Output(1)))
