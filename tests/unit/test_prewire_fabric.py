"""A fabric as an operator sees it: links, stations, layers, the picture, what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import networkx as nx
import pytest

from gateway_lb.health import health_iface
from nib.draft import Draft
from nib.errors import Conflict, FieldError, NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections
from nib.qos import Policy, PolicyConnections, PolicyShare, PortQos
from nib.records import Audit, Global, Leader, LocalSlots, Record
from nib.topology import Host, Link, Port, Switch
from prewire.api.adopt_routes import adopt_out, adopted
from prewire.api.status_routes import status_out
from prewire.api.switch_routes import switch_out
from prewire.commands import drawing
from prewire.fabric.forgetting import host_forgotten, switch_forgotten
from prewire.fabric.links import LinkOut, link_list
from prewire.fabric.located import HostOut, host_list, host_out
from prewire.fabric.topology import topology_out
from tests.fabric_model import mirror_of

SPINE1, SPINE2, LEAF1, LEAF2 = (f"{number:016x}" for number in (0xA1, 0xA2, 0xB1, 0xB2))
NAMES = {SPINE1: "spine1", SPINE2: "spine2", LEAF1: "leaf1", LEAF2: "leaf2"}
GBIT = 10**9
WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.0.11", 80, "02:00:00:00:00:11", LEAF1, "c1", number=2)
C2 = replace(C1, id="c2", address="10.0.0.12", mac="02:00:00:00:00:12", switch=LEAF2, number=3)
CLIENT = Host("02:00:00:00:00:21", LEAF1, "client", frozenset({"10.0.0.9", "10.0.0.10", "fe80::1"}))


def port(switch: str, name: str, number: int, **more: Any) -> Port:
    mac = f"0a:00:00:00:{switch[-2:]}:{number:02x}"
    return replace(Port(switch, name, number, mac, up=True, speed_bps=10 * GBIT), **more)


def cables() -> Iterator[Record]:
    """Two spines by two leaves: ports to1 and to2 of each are cabled."""
    for s, spine in enumerate((SPINE1, SPINE2), 1):
        for n, leaf in enumerate((LEAF1, LEAF2), 1):
            yield port(spine, f"to{n}", n)
            yield port(leaf, f"to{s}", s)
            yield Link(spine, f"to{n}", leaf, f"to{s}")
            yield Link(leaf, f"to{s}", spine, f"to{n}")


def fabric(*rows: Record) -> Mirror:
    """Leaf and spine; c1, c2 and a client at the leaves; rows in place of those or beside them."""
    usual: list[Record] = [Global(database="0a0b0c0d"), *cables(), WEB, C1, C2, CLIENT]
    usual += [Switch(dpid, zone, name, True) for zone, (dpid, name) in enumerate(NAMES.items(), 1)]
    usual += [port(LEAF1, "c1", 11), port(LEAF2, "c1", 12), port(LEAF1, "client", 13)]
    return mirror_of(
        {(type(row), row.key): row for row in (*usual, *rows)}.values(), is_dealt=False
    )


def without(mirror: Mirror, row: Record) -> Mirror:
    mirror.apply(RowChange(row, None))
    return mirror


def link(mirror: Mirror, switch: str = LEAF1, name: str = "to1") -> LinkOut:
    """The one link at this port, seen from it."""
    (found,) = link_list(mirror, switch=switch, port=name).items
    return found


def station(mirror: Mirror, mac: str) -> HostOut:
    found = host_out(mac, mirror)
    assert found is not None
    return found


# ------------------------------------------------------------------------------- links


def test_every_link_is_told_once() -> None:
    ends = [(each.switch, each.port) for each in link_list(fabric()).items]
    assert ends == [(SPINE1, "to1"), (SPINE1, "to2"), (SPINE2, "to1"), (SPINE2, "to2")]
    for each in link_list(fabric()).items:
        assert (each.both_ways, each.up, each.problem) == (True, True, "")
        assert each.capacity_bps == 10 * GBIT


def test_the_links_of_a_switch_are_seen_from_it() -> None:
    found = [
        (each.port, each.peer, each.peer_port) for each in link_list(fabric(), switch=LEAF2).items
    ]
    assert found == [("to1", SPINE1, "to2"), ("to2", SPINE2, "to2")]
    seen = link(fabric())
    assert (seen.switch_name, seen.peer_name) == ("leaf1", "spine1")


def test_the_slower_port_tells_the_capacity() -> None:
    assert link(fabric(port(SPINE1, "to1", 1, speed_bps=GBIT))).capacity_bps == GBIT
    assert link(fabric(port(LEAF1, "to1", 1, speed_bps=0))).capacity_bps is None


def test_a_port_that_is_down_is_named() -> None:
    seen = link(fabric(port(SPINE1, "to1", 1, up=False)))
    assert (seen.both_ways, seen.up) == (True, False)
    assert seen.problem == f"port to1 of {SPINE1} is down"


def test_a_port_that_is_gone_is_named() -> None:
    seen = link(without(fabric(), port(SPINE1, "to1", 1)))
    assert (seen.up, seen.capacity_bps) == (False, None)
    assert seen.problem == f"port to1 of {SPINE1} is gone"


@pytest.mark.parametrize("seen_from", [(LEAF1, "to1"), (SPINE1, "to1")])
def test_a_link_of_one_direction_is_told_from_either_end(seen_from: tuple[str, str]) -> None:
    seen = link(without(fabric(), Link(SPINE1, "to1", LEAF1, "to1")), *seen_from)
    assert (seen.switch, seen.both_ways) == (seen_from[0], False)
    assert seen.problem == f"what leaves port to1 of {SPINE1} was not seen to arrive"


def test_a_link_whose_way_back_leads_elsewhere() -> None:
    mirror = fabric(Link(SPINE1, "to1", LEAF2, "to9"))
    assert (
        link(mirror).problem == f"what leaves port to1 of {SPINE1} arrives at port to9 of {LEAF2}"
    )


def test_a_cable_between_two_ports_of_one_switch() -> None:
    rows = (port(LEAF1, "x", 21), port(LEAF1, "y", 22))
    mirror = fabric(*rows, Link(LEAF1, "x", LEAF1, "y"), Link(LEAF1, "y", LEAF1, "x"))
    assert link(mirror, LEAF1, "x").problem == "both its ends are at one switch"
    assert len(link_list(mirror).items) == 5


def test_ports_with_a_link_are_no_edge_ports() -> None:
    mirror = without(fabric(), Link(LEAF1, "to1", SPINE1, "to1"))
    ports = switch_out(mirror.need(Switch, LEAF1), mirror).ports
    assert {each.name for each in ports if each.fabric} == {"to1", "to2"}


# ------------------------------------------------------------------------------- stations


def test_stations_and_how_they_are_known() -> None:
    attached, agent = "02:00:00:00:00:31", "02:00:00:00:00:32"
    mirror = fabric(
        port(LEAF2, "vm", 14, attached_mac=attached),
        port(SPINE1, "pwh", 15, attached_mac=agent, iface_id=health_iface(SPINE1)),
    )
    found = {each.mac: (each.source, each.switch, each.port) for each in host_list(mirror).items}
    assert found == {
        C1.mac: ("container", LEAF1, "c1"),
        C2.mac: ("container", LEAF2, "c1"),
        CLIENT.mac: ("learned", LEAF1, "client"),
        attached: ("attached", LEAF2, "vm"),
        agent: ("agent", SPINE1, "pwh"),
    }
    assert [each.mac for each in host_list(mirror, switch=SPINE1).items] == [agent]


def test_a_station_tells_its_addresses_in_order_and_its_containers() -> None:
    mirror = fabric(replace(WEB, name="shop", port=81), replace(C1, service="shop", number=9))
    assert station(mirror, CLIENT.mac).addresses == ["10.0.0.9", "10.0.0.10", "fe80::1"]
    assert station(mirror, C1.mac).containers == ["shop/c1", "web/c1"]
    assert station(mirror, C1.mac).addresses == ["10.0.0.11"]
    assert host_out("02:00:00:00:00:99", mirror) is None


def test_a_container_without_a_place() -> None:
    found = station(fabric(replace(C1, switch_port="gone")), C1.mac)
    assert (found.switch, found.port, found.source) == (None, None, "container")
    assert found.problem == "no switch has the port it is said to be at"


def test_a_container_that_is_heard_elsewhere() -> None:
    found = station(fabric(Host(C1.mac, LEAF1, "client")), C1.mac)
    assert (found.port, found.source) == ("c1", "container")
    assert found.problem == f"it was heard at port client of {LEAF1}"


def test_a_station_whose_port_is_down() -> None:
    assert station(fabric(port(LEAF1, "c1", 11, up=False)), C1.mac).problem == "its port is down"


# ------------------------------------------------------------------------------- topology


def test_layers_are_counted_from_the_stations() -> None:
    found = topology_out(fabric(port(LEAF1, "to1", 1, up=False)))
    layers = {each.name: (each.layer, each.stations) for each in found.switches}
    assert layers == {"spine1": (1, 0), "spine2": (1, 0), "leaf1": (0, 2), "leaf2": (0, 1)}
    assert len(found.links) == 4


def test_a_node_agent_makes_no_edge() -> None:
    agent = port(SPINE1, "h", 15, attached_mac=C1.mac[:-2] + "32", iface_id=health_iface(SPINE1))
    assert topology_out(fabric(agent)).switches[0].layer == 1


def test_a_switch_without_links_has_no_layer() -> None:
    found = topology_out(fabric(Switch("00000000000000ff", 9, "alone")))
    assert [each.layer for each in found.switches if each.name == "alone"] == [None]
    assert topology_out(Mirror()).switches == []


def test_the_picture() -> None:
    rows = (
        port(LEAF1, "to1", 1, up=False),
        port(LEAF2, "x", 21), port(SPINE2, "x", 21),
        Link(LEAF2, "x", SPINE2, "x"), Link(SPINE2, "x", LEAF2, "x"),
        Switch("00000000000000ff", 9, "alone", problem="a table is full"),
    )  # fmt: skip
    drawn = drawing.as_text(topology_out(fabric(*rows)).model_dump())
    assert drawn == [
        "layer 1",
        "  spine1  to leaf1 (broken), leaf2",
        "  spine2  to leaf1, leaf2 x2",
        "layer 0",
        "  leaf1   to spine1 (broken), spine2; 2 stations",
        "  leaf2   to spine1, spine2 x2; 1 station",
        "no link to stations",
        "  alone   no links; not connected",
        f"problem: spine1 to1 - leaf1 to1: port to1 of {LEAF1} is down",
        "problem: alone: a table is full",
    ]


def test_switches_of_one_name_are_told_by_their_datapath_ids() -> None:
    mirror = fabric(Switch(SPINE1, 1, "br0", True), Switch(SPINE2, 2, "br0", True))
    drawn = drawing.as_text(topology_out(mirror).model_dump())
    assert drawn[1:3] == [f"  {spine}  to leaf1, leaf2" for spine in (SPINE1, SPINE2)]


def test_the_graph_for_graphviz_has_all_switches_and_links() -> None:
    lines = drawing.as_dot(topology_out(fabric(port(LEAF1, "to1", 1, up=False))).model_dump())
    edges = [line for line in lines if " -- " in line]
    assert (lines[0], lines[-1]) == ("graph fabric {", "}")
    assert len(edges) == 4
    assert [SPINE1 in line and LEAF1 in line for line in edges if "dashed" in line] == [True]
    assert all('label="10G"' in line for line in edges)
    pairs = (line.split("[")[0].replace('"', "").split(" -- ") for line in edges)
    assert nx.is_connected(nx.Graph((a.strip(), b.strip()) for a, b in pairs))


# ------------------------------------------------------------------------------- status, forgetting


def test_the_status_tells_who_leads_and_which_database_it_is() -> None:
    told = status_out(fabric(Leader(7, "controller-2"), port(LEAF1, "to1", 1, up=False)), 0)
    assert (told.leader, told.epoch, told.database) == ("controller-2", 7, "0a0b0c0d")
    assert (told.links, told.links_with_problem) == (4, 1)
    nobody = status_out(Mirror(), 0)
    assert (nobody.leader, nobody.epoch, nobody.database) == (None, None, None)


def test_the_status_tells_how_policies_stand() -> None:
    wanting = Policy("wanting", None, "web", "interactive", guaranteed_bps=90 * GBIT, number=1)
    later = Policy("later", None, "buy", number=2)
    told = status_out(fabric(wanting, later, Policy("plain", "web", number=3)), 0)
    assert told.policies == {"short": 1, "waiting": 1, "active": 1}
    assert told.policies_short == ["wanting"]


def test_a_forgotten_switch_leaves_nothing_but_its_containers() -> None:
    gone = Switch(LEAF1, 3, "leaf1")
    rows = (
        gone, Audit(LEAF1), Connections("web", "c1", 1, 1, LEAF1), LocalSlots("web", LEAF1, (2,)),
        Connections("web", "c1", 1, 1, LEAF2), LocalSlots("web", LEAF2, (2,)),
        PortQos(LEAF1, "to1", "none"), PolicyShare("p", LEAF1), PolicyConnections("p", LEAF1, 1),
    )  # fmt: skip
    mirror = fabric(*rows)
    draft = Draft(mirror)
    switch_forgotten(LEAF1)(draft)
    deleted = {change.kind for change in draft.net_changes()}
    assert deleted == {
        Switch, Port, Link, Host, Connections, LocalSlots, Audit, PortQos, PolicyShare,
        PolicyConnections,
    }  # fmt: skip
    assert all(change.new is None for change in draft.net_changes())
    left = [repr(row) for kind in deleted for row in mirror.all(kind)]
    assert not [row for row in left if LEAF1 in row]
    assert len(link_list(mirror).items) == 2
    assert station(mirror, C1.mac).switch is None
    assert station(mirror, C2.mac).switch == LEAF2
    assert len(mirror.all(Connections)) == len(mirror.all(LocalSlots)) == 1


def test_a_connected_or_unknown_switch_is_not_forgotten() -> None:
    draft = Draft(fabric())
    with pytest.raises(Conflict, match="is connected"):
        switch_forgotten(LEAF1)(draft)
    with pytest.raises(NotFound):
        switch_forgotten("00000000000000ff")(draft)
    assert draft.net_changes() == ()


def test_only_what_was_heard_of_a_host_is_forgotten() -> None:
    attached = port(LEAF2, "vm", 14, attached_mac="02:00:00:00:00:31")
    draft = Draft(fabric(attached))
    host_forgotten(CLIENT.mac)(draft)
    assert [change.old for change in draft.net_changes()] == [CLIENT]
    with pytest.raises(Conflict, match="web/c1"):
        host_forgotten(C1.mac)(draft)
    with pytest.raises(Conflict, match=f"attached-mac of port vm of {LEAF2}"):
        host_forgotten("02:00:00:00:00:31")(draft)
    with pytest.raises(NotFound):
        host_forgotten(CLIENT.mac)(draft)


def test_taking_over_another_databases_network() -> None:
    mirror = fabric()
    draft = Draft(mirror)
    adopted(draft, "1a2b3c4d")
    adopted(draft, "00000001")
    told = adopt_out(mirror)
    assert (told.database, told.predecessors) == ("0a0b0c0d", ["00000001", "1a2b3c4d"])
    (change,) = draft.net_changes()
    assert change.kind is Global


@pytest.mark.parametrize(
    "database", ["", "1a2b3c4", "1a2b3c4d5", "1A2B3C4D", "0x1a2b3c", "0a0b0c0d"]
)
def test_what_is_no_other_database_is_not_taken_over(database: str) -> None:
    draft = Draft(fabric())
    with pytest.raises(FieldError) as caught:
        adopted(draft, database)
    assert caught.value.field == "database"
    assert draft.net_changes() == ()
