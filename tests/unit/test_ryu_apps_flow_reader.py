"""What is encoded is read from its bytes as it was, and as the framework's parser reads it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given

from openflow.values import Flow
from ryu_apps import flow_reader, oxm_reader, reports, wire
from ryu_apps.entries import FlowEntry, GroupEntry
from ryu_apps.framework import parser
from tests.strategies import flows

_FLOW_MOD = 48  # bytes of a flow message up to its match
_FLOW_STATS = struct.Struct("!HBxIIHHHH4xQQQ")


def reported(flow: Flow, *, flags: int = 0, hard_timeout: int = 0) -> bytes:
    """The flow as an entry of a flow statistics reply."""
    rest = wire.flow_put(flow, 1)[_FLOW_MOD:]
    return (
        _FLOW_STATS.pack(
            _FLOW_STATS.size + len(rest),
            flow.table,
            7,
            8,
            flow.priority,
            flow.idle_timeout,
            hard_timeout,
            flags,
            flow.cookie,
            1000,
            2000,
        )
        + rest
    )


@given(flow=flows())
def test_a_flow_is_read_as_it_was_written(flow: Flow) -> None:
    entry = FlowEntry.parser(reported(flow), 0)
    assert oxm_reader.match_of(entry.match_bytes) == flow.match
    assert flow_reader.actions_of(entry.instructions_bytes) == flow.actions
    assert reports.flow_of(entry) == flow == reports.flow_of(entry.parsed)


@given(flow=flows())
def test_an_entry_has_the_attributes_of_the_frameworks(flow: Flow) -> None:
    raw = reported(flow)
    entry, full = (
        FlowEntry.parser(b"before" + raw + b"after", 6),
        parser.OFPFlowStats.parser(raw, 0),
    )
    for name in vars(full).keys() - {"match", "instructions"}:
        assert getattr(entry, name) == getattr(full, name), name
    assert str(entry.match) == str(full.match)
    assert [str(one) for one in entry.instructions] == [str(one) for one in full.instructions]
    assert str(entry) == str(full)
    assert entry.to_jsondict() == full.to_jsondict()


@pytest.mark.parametrize("which", ["flags", "hard_timeout"])
def test_a_flow_with_what_we_never_use_is_not_ours(which: str) -> None:
    flow = Flow(0, 1, oxm_reader.match_of(b"\0\1\0\4"), ())
    with pytest.raises(reports.NotOurs):
        reports.flow_of(FlowEntry.parser(reported(flow, **{which: 1}), 0))


@given(flow=flows())
def test_an_entry_that_is_cut_off_is_refused(flow: Flow) -> None:
    raw = reported(flow)
    for length in (0, 1, 55, len(raw) - 1):
        with pytest.raises(ValueError, match="an entry of"):
            FlowEntry.parser(raw[:length], 0)
    with pytest.raises(ValueError, match="an entry of 0 bytes"):
        GroupEntry.parser(bytes(64), 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\4",  # not OXM
        b"\0\1\0\6\x80\0",  # half a header
        b"\0\1\0\x0a\x80\0\0\4\0\0",  # in_port of two bytes
        b"\0\1\0\x0c\x80\0\1\4\0\0\0\1",  # in_port masked, without its mask
        b"\0\1\0\x0c\x80\x0d\0\4\0\0\0\1",  # vlan_pcp, which is not of ours, of four bytes
    ],
)
def test_a_match_that_is_not_read_is_left_to_the_framework(raw: bytes) -> None:
    with pytest.raises(flow_reader.UNREADABLE):
        oxm_reader.match_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\4\0\7",  # too short
        b"\0\4\0\x10\0\0\0\0",  # cut off
        b"\0\2\0\x18" + bytes(20),  # write_metadata
        b"\0\4\0\x10\0\0\0\0\0\x12\0\x08\0\0\0\0",  # pop_vlan
        b"\0\4\0\x18\0\0\0\0\xff\xff\0\x10\0\0\x23\x20\0\x12\0\0\0\0\0\0",  # dec_ttl
        b"\0\4\0\x18\0\0\0\0\xff\xff\0\x10\0\0\x4f\x4e\0\x0e\xff\xf8\1\0\0\0",  # not Nicira's
        b"\0\4\0\x18\0\0\0\0\xff\xff\0\x10\0\0\x23\x20\0\x0e\0\7\1\0\0\0",  # resubmit(7,1)
    ],
)
def test_an_action_that_is_not_read_is_left_to_the_framework(raw: bytes) -> None:
    with pytest.raises(flow_reader.UNREADABLE):
        flow_reader.actions_of(raw)
