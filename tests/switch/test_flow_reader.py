"""Flows and groups of a real ovs-vswitchd are read from bytes as through the framework's parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openflow.values import Bucket, Flow, Group, Meter, Output
from ryu_apps import flow_reader, oxm_reader, reports, wire
from ryu_apps.diff import Changes, Installed, desired_of, diff
from ryu_apps.entries import FlowEntry, GroupEntry
from ryu_apps.order import order
from ryu_apps.wire import GROUP_KINDS
from tests.nib_strategies import Database, Edit, histories
from tests.ovs import PrivateOvs
from tests.strategies import GROUP_NUMBERS, METER_NUMBERS, flows, groups
from tests.switch.managed import BATCHES, FOREIGN_FLOWS, empty, moment, takes
from tests.switch.management import Management

KINDS = {number: kind for kind, number in GROUP_KINDS.items()}


def check_all_is_read_from_bytes(peer: Management) -> None:
    """Nothing here needs the framework's parser, which reads the same."""
    for entry in peer.asked(wire.flows_request):
        assert isinstance(entry, FlowEntry)
        flow = reports.flow_of(entry.parsed)
        assert oxm_reader.match_of(entry.match_bytes) == flow.match
        assert flow_reader.actions_of(entry.instructions_bytes) == flow.actions
        assert reports.flow_of(entry) == flow
    for entry in peer.asked(wire.groups_request):
        assert isinstance(entry, GroupEntry)
        group = reports.group_of(entry.parsed)
        assert flow_reader.buckets_of(entry.buckets_bytes, KINDS[entry.type]) == group.buckets
        assert reports.group_of(entry) == group


@BATCHES
@given(some=st.lists(flows(), min_size=25, max_size=40, unique_by=lambda flow: flow.key))
def test_flows(ovs: PrivateOvs, peer: Management, some: list[Flow]) -> None:
    empty(ovs)
    peer.program(
        Changes(
            add_groups=tuple(Group(n, "select", (Bucket((Output(1),)),)) for n in GROUP_NUMBERS),
            add_meters=tuple(Meter(n, 1000, 1000) for n in METER_NUMBERS),
            put_flows=tuple(some),
        )
    )
    check_all_is_read_from_bytes(peer)


@BATCHES
@given(some=st.lists(groups(), min_size=8, max_size=20, unique_by=lambda group: group.group_id))
def test_groups(ovs: PrivateOvs, peer: Management, some: list[Group]) -> None:
    empty(ovs)
    peer.program(Changes(add_groups=tuple(some)))
    check_all_is_read_from_bytes(peer)


@BATCHES
@given(history=histories())
def test_compiled_rules(ovs: PrivateOvs, peer: Management, history: list[Edit]) -> None:
    empty(ovs)
    for batch in order(diff(desired_of(moment(Database(history)).values()), Installed())):
        for stage in batch:
            peer.program(stage)
    check_all_is_read_from_bytes(peer)


def test_flows_of_others_are_told_as_through_the_framework(
    ovs: PrivateOvs, peer: Management
) -> None:
    empty(ovs)
    added = [flow for flow in FOREIGN_FLOWS if takes(ovs, flow)]
    entries = peer.asked(wire.flows_request)
    assert len(entries) == len(added) >= 25
    for entry in entries:
        assert outcome(reports.flow_of, entry) == outcome(reports.flow_of, entry.parsed)
        assert str(entry) == str(entry.parsed)


def outcome(read: Callable[[Any], Flow], entry: Any) -> Flow | str:
    try:
        return read(entry)
    except reports.NotOurs as error:
        return str(error)
