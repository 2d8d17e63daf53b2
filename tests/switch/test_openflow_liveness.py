"""Groups whose ports are down: the interpreter passes over the buckets that Open vSwitch does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, combinations

import pytest

from openflow.interpreter import run
from openflow.packet import Packet, packet_text, udp
from openflow.text import rules_text
from openflow.values import Bucket, Flow, Group, Output, Rules, ToGroup, match
from tests.ovs import PrivateOvs
from tests.switch.tracing import datapath_ports

BRIDGE = "br0"
IN, WATCHED, UNWATCHED = 1, (2, 3, 4), 5
PACKET = udp(in_port=IN, ip_src="10.0.0.1", ip_dst="10.0.0.2", udp_src=4000, udp_dst=53)
HASHES = range(1, 17)  # 0: not hashed yet

BUCKETS = tuple(Bucket((Output(port),), watch_port=port) for port in WATCHED)
FAILOVER = Group(1, "ff", BUCKETS)
SELECT = Group(2, "select", BUCKETS)
MIXED = Group(3, "select", (*BUCKETS, Bucket((Output(UNWATCHED),))))
RULES = Rules(
    tuple(
        Flow(
            0,
            1,
            match(eth_type=0x800, ip_proto=17, udp_dst=group.group_id),
            (ToGroup(group.group_id),),
        )
        for group in (FAILOVER, SELECT, MIXED)
    ),
    (FAILOVER, SELECT, MIXED),
)
DEAD = tuple(chain.from_iterable(combinations(WATCHED, count) for count in range(4)))


@pytest.fixture(scope="module")
def ovs() -> Iterator[PrivateOvs]:
    with PrivateOvs() as switch:
        ports = [f"p{number}" for number in (IN, *WATCHED, UNWATCHED)]
        switch.add_bridge(BRIDGE, dpid=1, ports=ports)
        for group in rules_text(Rules(groups=RULES.groups), "ovs").splitlines():
            switch.ofctl("add-group", BRIDGE, group)
        for flow in rules_text(Rules(RULES.flows), "ovs").splitlines():
            switch.ofctl("add-flow", BRIDGE, flow)
        yield switch


def to(group: Group) -> Packet:
    return PACKET.having(udp_dst=group.group_id)


def traced(ovs: PrivateOvs, group: Group, dp_hash: int) -> int | None:
    """The port by which the switch would send the packet; None: it would drop it."""
    spec = f"{packet_text(to(group))},dp_hash={dp_hash}"
    text = ovs.appctl("ofproto/trace", BRIDGE, spec)
    found = re.search(r"Datapath actions: (\w+)\s*\Z", text)
    assert found is not None, text
    numbers = datapath_ports(ovs.appctl("dpif/show"))
    return None if found[1] == "drop" else numbers[int(found[1])]


def predicted(group: Group, dead: tuple[int, ...], chosen: int) -> int | None:
    result = run(
        RULES, to(group), choose=lambda _group, _packet: chosen, is_live=lambda p: p not in dead
    )
    return next((sent.port for sent in result.outputs), None)


@pytest.mark.parametrize("dead", DEAD, ids=str)
def test_only_live_buckets_are_chosen(ovs: PrivateOvs, dead: tuple[int, ...]) -> None:
    for port in WATCHED:
        state = "down" if port in dead else "up"
        ovs.appctl("netdev-dummy/set-admin-state", f"p{port}", state)
    assert traced(ovs, FAILOVER, 1) == predicted(FAILOVER, dead, 0)
    for group in (SELECT, MIXED):
        there = {traced(ovs, group, dp_hash) for dp_hash in HASHES}
        here = {predicted(group, dead, chosen) for chosen in range(len(group.buckets))}
        assert there == here
