"""A packet through several switches: what becomes of it, and what the network then is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflow.network import MOST_HOPS, End, Network, Place, network
from openflow.packet import Packet, tcp
from openflow.values import (
    ALL,
    CONTROLLER,
    IN_PORT,
    NORMAL,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    Flow,
    Group,
    Match,
    Output,
    Rules,
    ToGroup,
    match,
    set_field,
)

PACKET = tcp(in_port=0, ip_src="10.0.0.1", ip_dst="10.0.0.2", tcp_src=4000, tcp_dst=80)
HERE, THERE = Place("a", 1), Place("b", 1)
LINKS = [(Place("a", 2), Place("b", 2)), (Place("a", 3), Place("b", 3))]


def doing(*actions: Action, on: Match | None = None, table: int = 0) -> Flow:
    return Flow(table, 1, on or match(), actions)


def to(port: int) -> Rules:
    return Rules((doing(Output(port)),))


def joined(a: Rules, b: Rules) -> Network:
    """Switches `a` and `b` with two links, ports 2 and 3; port 1 of each is an edge port."""
    return network({"a": a, "b": b}, LINKS)


def only(fabric: Network, packet: Packet = PACKET, place: Place = HERE) -> End:
    (end,) = fabric.send(place, packet).ends
    return end


def test_a_packet_crosses_a_link_and_leaves_by_an_edge_port() -> None:
    end = only(joined(to(2), to(1)))
    assert (end.fate, end.place, end.packet) == ("delivered", THERE, PACKET)
    assert end.path == (HERE, Place("b", 2))


def test_the_next_switch_sees_its_own_port_and_no_registers() -> None:
    written = (set_field("reg1", 7), set_field("metadata", 9), set_field("eth_dst", 5))
    first = Rules((doing(*written, Ct(3, table=1)), doing(Output(3), table=1)))
    second = Rules((doing(Output(1), on=match(in_port=3, reg1=0, metadata=0, ct_state=0)),))
    end = only(joined(first, second))
    assert end.fate == "delivered"
    assert (end.packet["eth_dst"], end.packet["reg1"], end.packet["in_port"]) == (5, 0, 0)


def test_what_becomes_of_a_packet_has_a_name() -> None:
    nothing = Rules()
    for rules, fate, place in (
        ((nothing, nothing), "dropped", HERE),
        ((to(2), nothing), "dropped", Place("b", 2)),
        ((to(CONTROLLER), nothing), "controller", Place("a", CONTROLLER)),
        ((to(2), to(CONTROLLER)), "controller", Place("b", CONTROLLER)),
        ((to(NORMAL), nothing), "own forwarding", Place("a", NORMAL)),
        ((to(ALL), nothing), "own forwarding", Place("a", ALL)),
        ((to(IN_PORT), nothing), "delivered", HERE),
        ((to(1), nothing), "dropped", HERE),
    ):
        end = only(joined(*rules))
        assert (end.fate, end.place) == (fate, place)


def test_every_copy_has_an_end_of_its_own() -> None:
    both = Rules((doing(Output(2), Output(CONTROLLER), Output(9)),))
    journey = joined(both, to(1)).send(HERE, PACKET)
    assert [(end.fate, end.place) for end in journey.ends] == [
        ("controller", Place("a", CONTROLLER)),
        ("delivered", Place("a", 9)),
        ("delivered", THERE),
    ]
    assert journey.of("controller", "dropped") == journey.ends[:1]
    assert [hop.place for hop in journey.hops] == [HERE, Place("b", 2)]


def test_a_loop_is_said_with_its_path() -> None:
    end = only(joined(to(2), to(IN_PORT)).programmed({"a": Rules((doing(Output(2)),))}))
    assert end.fate == "dropped", "never out of the port it came in by"
    around = Rules((doing(Output(2), on=match(in_port=3)), doing(Output(2), on=match(in_port=1))))
    end = only(joined(around, Rules((doing(Output(3), on=match(in_port=2)),))))
    assert (end.fate, len(end.path)) == ("looped", MOST_HOPS)
    assert end.path[:4] == (HERE, Place("b", 2), Place("a", 3), Place("b", 2))


def test_copies_that_double_come_to_an_end() -> None:
    doubling = Rules((doing(Output(2), Output(3), Output(IN_PORT)),))
    journey = joined(doubling, doubling).send(HERE, PACKET)
    assert journey.of("looped")
    assert len(journey.hops) <= 1000


def test_a_path_of_the_greatest_length_is_no_loop() -> None:
    names = [f"s{number}" for number in range(MOST_HOPS)]
    links = [(Place(one, 2), Place(two, 1)) for one, two in pairwise(names)]
    line = network(dict.fromkeys(names, to(2)), links)
    end = only(line, place=Place("s0", 1))
    assert (end.fate, end.place.switch) == ("delivered", names[-1])
    (end,) = line.send(Place("s0", 1), PACKET, most_hops=MOST_HOPS - 1).ends
    assert (end.fate, end.place) == ("looped", Place(names[-1], 1))


def test_a_cut_link_loses_packets_until_it_is_mended() -> None:
    cut = joined(to(2), to(1)).having_cut(Place("b", 2))
    assert (only(cut).fate, only(cut).place) == ("lost", Place("a", 2))
    assert only(cut, place=THERE).fate == "dropped"
    assert only(cut.having_mended(Place("a", 2))).fate == "delivered"


def test_a_cut_edge_port_neither_takes_nor_gives() -> None:
    cut = joined(to(2), to(1)).having_cut(THERE)
    assert (only(cut).fate, only(cut).place) == ("lost", THERE)
    assert only(cut.having_cut(HERE)).path == ()


def test_a_lost_switch_loses_packets_until_it_is_restored() -> None:
    lost = joined(to(2), to(1)).having_lost("b")
    assert (only(lost).fate, only(lost).place) == ("lost", Place("a", 2))
    assert only(lost, place=THERE).fate == "lost"
    assert only(lost.having_restored("b")).fate == "delivered"


@pytest.mark.parametrize("kind", ["ff", "select"])
def test_groups_pass_over_ports_that_lead_nowhere(kind: Any) -> None:
    buckets = tuple(Bucket((Output(port),), watch_port=port) for port in (2, 3))
    either = Rules((doing(ToGroup(1)),), (Group(1, kind, buckets),))
    fabric = joined(either, to(1))
    for dead, taken in ((Place("a", 2), 3), (Place("b", 2), 3), (Place("b", 3), 2)):
        assert only(fabric.having_cut(dead)).path[1] == Place("b", taken)
    assert only(fabric.having_lost("b")).fate == "dropped"


def test_a_choice_is_made_at_each_switch() -> None:
    buckets = tuple(Bucket((Output(port),)) for port in (1, 2, 3))
    any_port = Rules((doing(ToGroup(1)),), (Group(1, "select", buckets),))
    fabric = joined(any_port, any_port)
    (end,) = fabric.send(HERE, PACKET, choose=lambda at, _group, _packet: {"a": 2, "b": 0}[at]).ends
    assert (end.place, end.path[1]) == (THERE, Place("b", 3))


def test_each_switch_has_its_own_connections() -> None:
    commit = Rules((doing(Ct(5, commit=True), Output(2)),))
    journey = joined(commit, to(1)).send(HERE, PACKET)
    after = journey.network
    assert {switch: len(ct.connections) for switch, ct in after.conntrack.items()} == {
        "a": 2,
        "b": 0,
    }
    again = after.programmed({"a": Rules()}).send(HERE, PACKET).network
    assert len(again.conntrack["a"].connections) == 2


def test_a_controller_sends_a_packet_through_the_tables() -> None:
    first = Rules((doing(Output(2), on=match(in_port=CONTROLLER)),))
    assert only(joined(first, to(1)), place=Place("a", CONTROLLER)).fate == "delivered"


def test_errors_of_every_switch_are_told() -> None:
    journey = joined(to(2), Rules((doing(ToGroup(8)),))).send(HERE, PACKET)
    assert journey.errors == ("no group 8",)
    assert journey.ends[0].fate == "dropped"


def test_meters_passed_are_told() -> None:
    end = only(joined(Rules((doing(ApplyMeter(4), Output(CONTROLLER)),)), Rules()))
    assert end.sent is not None
    assert end.sent.meters == (4,)


def test_a_port_has_one_link() -> None:
    with pytest.raises(ValueError, match="end of two links"):
        network({}, [LINKS[0], (Place("a", 2), Place("c", 1))])
    with pytest.raises(ValueError, match="end of two links"):
        network({}, [(HERE, HERE)])


# ---------------------------------------------------------------------- on graphs of any form


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph[int]:
    """Connected, 2 to 12 nodes."""
    size = draw(st.integers(2, 12))
    graph: nx.Graph[int] = nx.Graph((draw(st.integers(0, n - 1)), n) for n in range(1, size))
    more = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    graph.add_edges_from((a, b) for a, b in draw(st.lists(more, max_size=12)) if a != b)
    return graph


def port_to(graph: nx.Graph[int], here: int, there: int) -> int:
    """Port 1 is the edge port; those to neighbours follow."""
    return 2 + sorted(graph[here]).index(there)


def routed(graph: nx.Graph[int], target: int) -> Network:
    """Every switch sends to its first neighbour on a shortest path, the target out of port 1."""
    rules = {str(target): to(1)}
    for here in graph:
        if here != target:
            after = nx.shortest_path(graph, here, target)[1]
            rules[str(here)] = to(port_to(graph, here, after))
    links = (
        (Place(str(a), port_to(graph, a, b)), Place(str(b), port_to(graph, b, a)))
        for a, b in graph.edges
    )
    return network(rules, links)


@given(graphs(), st.data())
def test_shortest_paths_deliver_with_as_many_hops_as_they_are_long(
    graph: nx.Graph[int], data: st.DataObject
) -> None:
    source, target = data.draw(st.tuples(st.sampled_from(sorted(graph)), st.sampled_from([0, 1])))
    fabric = routed(graph, target)
    end = only(fabric, place=Place(str(source), 1))
    if source == target:
        assert end.fate == "dropped", "it came in by the port it would leave by"
        return
    assert (end.fate, end.place, end.packet) == ("delivered", Place(str(target), 1), PACKET)
    assert len(end.path) == nx.shortest_path_length(graph, source, target) + 1


@given(graphs(), st.data())
def test_a_packet_is_lost_just_where_its_path_is_broken(
    graph: nx.Graph[int], data: st.DataObject
) -> None:
    source = data.draw(st.sampled_from(sorted(set(graph) - {0})))
    fabric = routed(graph, 0)
    before = only(fabric, place=Place(str(source), 1))
    a, b = data.draw(st.sampled_from(sorted(graph.edges)))
    broken = fabric.having_cut(Place(str(a), port_to(graph, a, b)))
    after = only(broken, place=Place(str(source), 1))
    passed = pairwise(int(place.switch) for place in before.path)
    is_hit = any({a, b} == {*step} for step in passed)
    assert after.fate == ("lost" if is_hit else "delivered")
    assert after.path == before.path[: len(after.path)]
