"""Paths between switches of random fabrics: shortest, complete, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from nib.mirror import Mirror, RowChange
from nib.records import Record
from nib.topology import Link, Port, Switch
from ryu_apps.routing import NO_WAY, Edge, Fabric, fabric_of, fabric_ports, usable
from tests.nib_strategies import examples


def dpid(number: int) -> str:
    return f"{number:016x}"


def edges_of(graph: nx.Graph) -> frozenset[Edge]:
    """Port p of a switch leads to switch number p."""
    return frozenset(Edge(dpid(a), b, dpid(b)) for x, y in graph.edges for a, b in ((x, y), (y, x)))


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    """Two to twelve switches, in one piece."""
    count = draw(st.integers(2, 12))
    tree = [(draw(st.integers(1, each - 1)), each) for each in range(2, count + 1)]
    pairs = [(a, b) for a in range(1, count + 1) for b in range(a + 1, count + 1)]
    more = draw(st.lists(st.sampled_from(pairs), max_size=2 * count))
    return nx.Graph([*tree, *more])


def pairs_of(graph: nx.Graph) -> Iterator[tuple[int, int]]:
    return ((a, b) for a in graph for b in graph if a != b)


@given(graphs())
@examples(0.4)
def test_every_port_is_on_a_shortest_path_and_none_is_left_out(graph: nx.Graph) -> None:
    fabric = Fabric(edges_of(graph), frozenset())
    for here, target in pairs_of(graph):
        away = dict(nx.single_source_shortest_path_length(graph, target))
        hops = fabric.hops(dpid(here), dpid(target))
        assert hops is not None
        nearer = {other for other in graph[here] if away[other] == away[here] - 1}
        assert (hops.distance, set(hops.ports)) == (away[here], nearer)


@given(graphs())
@examples(0.4)
def test_a_detour_arrives_though_nobody_else_knows_of_the_cut(graph: nx.Graph) -> None:
    """The one shortest link of a switch fails; all others go on as before."""
    fabric = Fabric(edges_of(graph), frozenset())
    for here, target in pairs_of(graph):
        hops = fabric.hops(dpid(here), dpid(target))
        assert hops is not None
        if hops.detour is not None:
            assert len(hops.ports) == 1
            _arrives(fabric, hops.detour, target, without=(here, hops.ports[0]))


def _arrives(fabric: Fabric, at: int, target: int, without: tuple[int, int]) -> None:
    """By whatever of the shortest paths packets go."""
    heads = {at}
    for _ in range(12):
        heads -= {target}
        following = set()
        for head in heads:
            hops = fabric.hops(dpid(head), dpid(target))
            assert hops is not None
            following |= {(head, port) for port in hops.ports}
        assert without not in following
        heads = {port for _, port in following}
    assert not heads - {target}, "a circle"


@given(graphs(), st.data())
@examples(0.3)
def test_switches_out_of_control_are_passed_only_where_there_is_no_other_way(
    graph: nx.Graph, data: st.DataObject
) -> None:
    lost = data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=3))
    fabric = Fabric(edges_of(graph), frozenset(map(dpid, lost)))
    for here, target in pairs_of(graph):
        safe = graph.subgraph((set(graph) - lost) | {here, target})
        hops = fabric.hops(dpid(here), dpid(target))
        assert hops is not None
        if nx.has_path(safe, here, target):
            assert not (set(hops.ports) & lost) - {target}
            assert hops.distance == nx.shortest_path_length(safe, here, target)


def test_no_way_is_no_hops() -> None:
    fabric = Fabric(edges_of(nx.Graph([(1, 2), (3, 4)])), frozenset())
    assert fabric.hops(dpid(1), dpid(3)) is None
    assert fabric.hops(dpid(1), dpid(9)) is None
    assert fabric.distance(dpid(1), dpid(3)) == NO_WAY


# ------------------------------------------------------------------------------- from rows

A, B = dpid(1), dpid(2)
PORTS = {key: Port(*key, 7, "02:00:00:00:00:07", up=True) for key in ((A, "x"), (B, "y"))}
LINK, BACK = Link(A, "x", B, "y"), Link(B, "y", A, "x")


def view_of(*rows: Record) -> Mirror:
    view = Mirror()
    for row in (Switch(A, 1, connected=True), Switch(B, 2, connected=True), *rows):
        view.apply(RowChange(None, row))
    return view


def test_a_link_carries_traffic_when_both_directions_are_seen_and_both_ports_are_up() -> None:
    whole = view_of(*PORTS.values(), LINK, BACK)
    assert usable(LINK, whole) == Edge(A, 7, B)
    assert fabric_of(whole).hops(A, B) is not None
    assert fabric_of(whole) is fabric_of(whole)
    needed: list[Record] = [*PORTS.values(), LINK, BACK]
    for without in needed:
        rows = [row for row in needed if row != without]
        assert fabric_of(view_of(*rows)).hops(A, B) is None
    down = Port(B, "y", 7, "02:00:00:00:00:07", up=False)
    assert usable(LINK, view_of(PORTS[A, "x"], down, LINK, BACK)) is None


def test_a_port_is_no_edge_port_once_anything_was_seen_through_it() -> None:
    for seen in (LINK, BACK):
        view = view_of(*PORTS.values(), seen)
        assert fabric_ports(A, view) == [PORTS[A, "x"]]
        assert fabric_ports(B, view) == [PORTS[B, "y"]]
    assert fabric_ports(A, view_of(*PORTS.values())) == []
