"""What `ryu_apps.wire` encodes, a real ovs-vswitchd takes, and reports back as an equal value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nib.mirror import RowChange
from nib.records import Service, Switch
from openflow.cookies import OWNER_COOKIE
from openflow.values import Bucket, Flow, Group, Meter, Output, Rules
from ryu_apps.compile import compile_state, next_slots
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.order import order
from tests.nib_strategies import HERE, Database, Edit, edits, histories
from tests.ovs import PrivateOvs, is_installed
from tests.strategies import GROUP_NUMBERS, METER_NUMBERS, flows, groups, meters
from tests.switch.openflow_peer import Peer
from tests.switch_model import shown

BRIDGE = "br0"
# Hypothesis makes few examples of many values, because it is values that are new to the switch.
BATCHES = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NOBODY = desired_of([])


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    if not is_installed():
        pytest.skip("Open vSwitch is not installed (apt-get install openvswitch-switch)")
    with PrivateOvs() as ovs:
        ovs.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2"))
        with Peer(ovs, BRIDGE) as connected:
            yield connected


def emptied(peer: Peer) -> None:
    """No flow, group or meter is left, whoever put it there."""
    held = peer.holding()
    peer.program(
        Changes(
            delete_flows=tuple(held.flows.values()),
            delete_groups=tuple(held.groups.values()),
            delete_meters=tuple(held.meters.values()),
        )
    )
    assert peer.holding() == Installed()


@BATCHES
@given(some=st.lists(flows(), min_size=25, max_size=40, unique_by=lambda flow: flow.key))
def test_flows(peer: Peer, some: list[Flow]) -> None:
    emptied(peer)
    peer.program(
        Changes(
            add_groups=tuple(Group(n, "select", (Bucket((Output(1),)),)) for n in GROUP_NUMBERS),
            add_meters=tuple(Meter(n, 1000, 1000) for n in METER_NUMBERS),
            put_flows=tuple(some),
        )
    )
    held = peer.holding().flows
    for flow in some:
        assert held[flow.key] == flow
    assert len(held) == len(some)
    peer.program(Changes(delete_flows=tuple(some)))
    assert peer.holding().flows == {}
