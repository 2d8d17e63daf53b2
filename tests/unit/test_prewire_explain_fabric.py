"""Explaining packets that pass several switches, and the flows that bring them there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from nib.intent import Container, Service
from nib.mirror import Mirror
from nib.records import Global, LocalSlots, Record
from nib.topology import Host, Link, Port, Switch
from openflow.text import flow_text
from openflow.values import Flow, merged
from prewire.explaining.flow import explain_flow, route_target
from prewire.explaining.packet import ExplainedPacket, explain_packet
from ryu_apps.compile import compile_state
from tests.fabric_model import mirror_of

SPINE1, SPINE2, LEAF1, LEAF2 = (f"{number:016x}" for number in (0xA1, 0xA2, 0xB1, 0xB2))
SWITCHES = {
    dpid: Switch(dpid, zone, name, connected=True)
    for zone, (dpid, name) in enumerate(
        {SPINE1: "spine1", SPINE2: "spine2", LEAF1: "leaf1", LEAF2: "leaf2"}.items(), 1
    )
}
NOW = 1_000_000
WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.0.11", 80, "02:00:00:00:00:11", LEAF2, "c1", number=2)
CLIENT = Host("02:00:00:00:00:21", LEAF1, "client", frozenset({"10.0.0.21"}))
TO_VIP = "in_port=9,tcp,dl_src=02:00:00:00:00:21,nw_src=10.0.0.21,nw_dst=10.0.0.100,tp_dst=80"
TO_C1 = f"in_port=9,udp,dl_dst={C1.mac},nw_src=10.0.0.21,nw_dst=10.0.0.11"


def port(switch: str, name: str, number: int, *, up: bool = True) -> Port:
    return Port(switch, name, number, f"0a:00:00:00:{switch[-2:]}:{number:02x}", up=up)


def rows() -> Iterator[Record]:
    yield Global(database="0a0b0c0d")
    yield from SWITCHES.values()
    for s, spine in enumerate((SPINE1, SPINE2), 1):
        for n, leaf in enumerate((LEAF1, LEAF2), 1):
            yield from (port(spine, f"to{n}", n), port(leaf, f"to{s}", s))
            yield from (
                Link(spine, f"to{n}", leaf, f"to{s}"),
                Link(leaf, f"to{s}", spine, f"to{n}"),
            )
    yield from (port(LEAF1, "client", 9), port(LEAF2, "c1", 5), WEB, C1, CLIENT)


def view(*others: Record) -> Mirror:
    """Two spines, two leaves, a client at leaf1, a container at leaf2; rows in their place."""
    return mirror_of({(type(row), row.key): row for row in (*rows(), *others)}.values())


def explained(text: str, mirror: Mirror, dpid: str = LEAF1) -> ExplainedPacket:
    return explain_packet(text, mirror.need(Switch, dpid), mirror, NOW)


def test_a_packet_to_a_vip_is_followed_to_its_container() -> None:
    found = explained(TO_VIP, view())
    assert found.switch == found.path[0] == LEAF1
    assert found.path[1] in (SPINE1, SPINE2)
    assert found.path[2:] == (LEAF2,)
    (end,) = found.outputs
    assert end.startswith("port 5 of leaf2 as ")
    assert "10.0.0.11" in end
    assert [(each.id, each.slots) for each in found.containers] == [("c1", 64)]
    tables = [step.table for step in found.steps if step.switch == LEAF2]
    assert tables[:2] == ["classify", "arrive"]
    assert {step.origin for step in found.steps} >= {"service web", f"station {C1.mac}"}


def test_ways_that_are_equally_short_are_told() -> None:
    found = explained(TO_C1, view())
    first, second = found.choices
    picks = "the switch picks one of port 1 (to1), port 2 (to2) by hash; shown is "
    assert first.startswith(f"leaf1: route to leaf2: {picks}")
    assert second.endswith(": route to leaf2 by port 2 (to2); shown is port 2 (to2)")


def test_a_dead_way_is_not_shown() -> None:
    (spine,) = explained(TO_C1, view(port(LEAF1, "to1", 1, up=False))).path[1:2]
    assert spine == SPINE2


def test_a_detour_is_told() -> None:
    cross = (port(LEAF1, "x", 11), port(LEAF2, "x", 11))
    links = (Link(LEAF1, "x", LEAF2, "x"), Link(LEAF2, "x", LEAF1, "x"))
    (only,) = explained(TO_C1, view(*cross, *links)).choices
    assert only.startswith("leaf1: route to leaf2 by port 11 (x), or by port ")
    assert only.endswith(" where that is down; shown is port 11 (x)")


def test_no_way_to_a_switch() -> None:
    mirror = view(
        *(port(LEAF2, name, number, up=False) for number, name in ((1, "to1"), (2, "to2")))
    )
    found = explained(TO_C1, mirror)
    assert (found.path, found.choices) == ((LEAF1,), ())
    assert found.outputs == (f"dropped: there is no way to leaf2 ({LEAF2})",)


def test_a_port_that_is_down_is_told() -> None:
    (end,) = explained(TO_C1, view(port(LEAF2, "c1", 5, up=False))).outputs
    assert end == "port 5 of leaf2, which is down"


def test_an_entry_whose_port_is_down_is_explained_all_the_same() -> None:
    assert explained(TO_C1, view(port(LEAF1, "client", 9, up=False))).path[-1] == LEAF2


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        ("in_port=9,udp,dl_dst=02:00:00:00:00:99,nw_dst=10.0.0.99", "no station with that MAC"),
        ("in_port=9,arp,arp_spa=10.0.0.21,arp_sha=02:00:00:00:00:21,arp_tpa=10.0.0.99", "asks at"),
        ("in_port=9,dl_type=0x88cc", "link probes"),
    ],
)
def test_why_the_controller_is_told(packet: str, why: str) -> None:
    (end,) = explained(packet, view()).outputs
    assert end.startswith("to the controller: ")
    assert why in end


def test_a_station_that_moved_is_learned_and_answered() -> None:
    asks = "in_port=5,arp,arp_spa=10.0.0.21,arp_sha=02:00:00:00:00:21,arp_tpa=10.0.0.11"
    learned, answer = explained(asks, view(), LEAF2).outputs
    assert "it is learned" in learned
    assert answer.startswith("port 5 as arp")


def test_broadcast_stays_where_it_is() -> None:
    packet = "in_port=9,udp,dl_dst=ff:ff:ff:ff:ff:ff,nw_dst=255.255.255.255"
    assert explained(packet, view()).outputs == ("dropped",)


def test_the_slots_are_those_of_the_clients_switch() -> None:
    web = replace(WEB, locality="prefer")
    mirror = view(web, LocalSlots("web", LEAF2, (2,) * 128))
    assert explained(TO_VIP, mirror).containers[0].slots == 64
    assert explained(TO_VIP, mirror, LEAF2).containers[0].slots == 128


# ------------------------------------------------------------------------------- flows


def flows(mirror: Mirror, dpid: str = LEAF1) -> list[Flow]:
    rules = merged(compile_state(mirror, mirror.need(Switch, dpid)).values())
    return list(rules.flows)


def test_every_flow_of_a_fabric_has_an_owner() -> None:
    mirror = view()
    for dpid, switch in SWITCHES.items():
        told = [explain_flow(flow_text(f, "ovs"), switch, mirror) for f in flows(mirror, dpid)]
        assert all(each.wanted for each in told)
        owners = {each.owner.partition(",")[0] for each in told}
        assert f"station {C1.mac} (web/c1)" in owners
        assert f"station {CLIENT.mac} (10.0.0.21)" in owners
        assert "port 1 (to1)" in owners
        assert "base" in owners


def test_a_flow_that_leads_to_another_switch_names_it() -> None:
    mirror = view()
    routes = {
        found.route
        for flow in flows(mirror)
        if (found := explain_flow(flow_text(flow, "ovs"), SWITCHES[LEAF1], mirror)).route
    }
    assert routes == {f"leaf2 ({LEAF2})"}
    assert route_target(0x6000_0063, mirror) == "zone 99, no switch's now"
    assert route_target(0x7000_0001, mirror) is None


@pytest.mark.parametrize(
    ("flow", "owner"),
    [
        ("cookie=0x7000070500000099,table=90,priority=80,dl_dst=02:00:00:00:00:99,actions=drop",
         "station ..:00:00:00:99, gone, written in epoch 7"),
        ("cookie=0x7000070600000063,table=0,priority=150,in_port=99,actions=drop",
         "port 99 (gone), written in epoch 7"),
        ("cookie=0x700007001a2b3c4d,table=0,priority=0,actions=drop",
         "base, programmed from database 1a2b3c4d, written in epoch 7"),
    ],
)  # fmt: skip
def test_flows_that_are_left_over(flow: str, owner: str) -> None:
    assert explain_flow(flow, SWITCHES[LEAF1], view()).owner == owner
