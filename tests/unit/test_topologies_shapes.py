"""Shapes of networks: the right links, hosts where they belong, sizes that are refused."""

from __future__ import annotations

import sys
from typing import Any

import networkx as nx
import pytest

from topologies.errors import SpecError
from topologies.shapes import from_graph, from_topohub, leaf_spine, ring, tree
from topologies.spec import NetworkSpec


def graph_of(spec: NetworkSpec) -> nx.MultiGraph[Any]:
    graph: nx.MultiGraph[Any] = nx.MultiGraph()
    graph.add_nodes_from(switch.name for switch in spec.switches)
    graph.add_edges_from((link.a, link.b) for link in spec.trunks)
    return graph


def hosts_on(spec: NetworkSpec, switch: str) -> list[str]:
    return [host.name for host in spec.hosts if spec.switch_port(host.name)[0].name == switch]


def test_leaf_spine_links_every_leaf_with_every_spine() -> None:
    spec = leaf_spine(2, 4)
    assert len(spec.trunks) == 8
    for leaf in range(1, 5):
        for spine in (1, 2):
            (link,) = spec.trunks_between(f"spine{spine}", f"leaf{leaf}")
            assert link.ends() == ((f"leaf{leaf}", spine), (f"spine{spine}", leaf))


def test_leaf_spine_has_hosts_on_leaves_alone() -> None:
    spec = leaf_spine(2, 3, containers=2, clients=3)
    assert [hosts_on(spec, switch.name) for switch in spec.switches] == [
        ["client", "gateway", "c1", "c2"],
        ["cli2", "c3", "c4"],
        ["cli3", "c5", "c6"],
        [],
        [],
    ]
    assert spec.client.name == "client"
    assert spec.host("cli3").address == "10.0.100.3"
    assert spec.host("c6").address == "10.0.0.16"
    assert spec.host("c6").address6 == "fd70:77::10"


def test_datapath_ids_count_from_one() -> None:
    assert [switch.dpid for switch in leaf_spine(2, 2).switches] == [1, 2, 3, 4]


def test_ports_to_switches_come_first() -> None:
    spec = leaf_spine(3, 2, containers=1)
    assert [spec.switch_port(name)[1] for name in ("client", "gateway", "c1")] == [4, 5, 6]
    assert spec.switch_port("c2")[1] == 4


def test_a_ring_closes() -> None:
    spec = ring(5, containers=1)
    assert nx.is_isomorphic(nx.Graph(graph_of(spec)), nx.cycle_graph(5))
    assert [hosts_on(spec, f"s{n}")[-1] for n in range(1, 6)] == ["c1", "c2", "c3", "c4", "c5"]


@pytest.mark.parametrize(("depth", "fanout"), [(1, 1), (1, 4), (2, 3), (3, 2), (4, 1)])
def test_a_tree_has_its_hosts_on_the_last_level(depth: int, fanout: int) -> None:
    spec = tree(depth, fanout, containers=1)
    graph = nx.Graph(graph_of(spec))
    assert nx.is_tree(graph)
    levels = nx.single_source_shortest_path_length(graph, "s1")
    last = {name for name, level in levels.items() if level == depth - 1}
    assert len(last) == fanout ** (depth - 1)
    assert {spec.switch_port(host.name)[0].name for host in spec.hosts} == last


def test_a_graph_becomes_a_network_of_the_same_form() -> None:
    graph: nx.Graph[Any] = nx.petersen_graph()
    spec = from_graph(graph, clients=10)
    assert nx.is_isomorphic(nx.Graph(graph_of(spec)), graph)
    assert len(spec.hosts) == 1 + 10 + 10


def test_of_a_graph_only_some_switches_may_have_hosts() -> None:
    spec = from_graph(nx.path_graph(["a", "b", "c"]), edges=["c", "a"], containers=1)
    assert [hosts_on(spec, name) for name in ("s1", "s2", "s3")] == [
        ["client", "gateway", "c1"],
        [],
        ["c2"],
    ]


def test_parallel_edges_are_links_of_their_own() -> None:
    spec = from_graph(nx.MultiGraph([(1, 2), (1, 2)]))
    assert [link.ends() for link in spec.trunks_between("s2", "s1")] == [
        (("s1", 1), ("s2", 1)),
        (("s1", 2), ("s2", 2)),
    ]


def test_a_directed_graph_has_a_link_for_both_directions() -> None:
    assert len(from_graph(nx.DiGraph([(1, 2), (2, 1)])).trunks) == 1


def test_a_graph_without_edges_has_switches_without_links() -> None:
    spec = from_graph(nx.empty_graph(2))
    assert (len(spec.switches), spec.trunks) == (2, ())
    with pytest.raises(KeyError, match="no link between 's1' and 's2'"):
        spec.trunks_between("s1", "s2")
    with pytest.raises(KeyError, match="no switch 's3'; switches are s1, s2"):
        spec.switch("s3")


def test_topologies_of_topohub() -> None:
    spec = from_topohub("topozoo/Abilene", clients=11)
    assert (len(spec.switches), len(spec.trunks)) == (11, 14)
    with pytest.raises(SpecError, match="no topology 'topozoo/Nowhere'"):
        from_topohub("topozoo/Nowhere")


def test_without_topohub_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "topohub", None)
    with pytest.raises(SpecError, match="pip install topohub"):
        from_topohub("topozoo/Abilene")


def test_a_shape_is_the_same_every_time() -> None:
    assert leaf_spine() == leaf_spine()
    assert hash(ring()) == hash(ring())


def test_sizes_that_make_no_network_are_refused() -> None:
    for spines, leaves, complaint in ((0, 1, "spines: 0"), (1, 0, "leaves: 0")):
        with pytest.raises(SpecError, match=complaint):
            leaf_spine(spines, leaves)
    with pytest.raises(SpecError, match="switches: 2 is less than 3"):
        ring(2)
    with pytest.raises(SpecError, match="depth: 0"):
        tree(0)
    with pytest.raises(SpecError, match="fanout: 0"):
        tree(2, 0)
    with pytest.raises(SpecError, match="at least one"):
        from_graph(nx.Graph(), clients=0)
    with pytest.raises(SpecError, match="too long; shorten"):
        leaf_spine(spines=10, leaves=10)


def test_hosts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SpecError, match="clients: 5 "):
        leaf_spine(2, 4, clients=5)
    with pytest.raises(SpecError, match="clients: -1"):
        ring(clients=-1)
    with pytest.raises(SpecError, match="containers: -1"):
        ring(containers=-1)
    with pytest.raises(SpecError, match="have no addresses"):
        ring(containers=10_000)


def test_graphs_that_make_no_network_are_refused() -> None:
    with pytest.raises(SpecError, match="s2 is linked to itself"):
        from_graph(nx.Graph([(1, 2), (2, 2)]))
    with pytest.raises(SpecError, match="edges: 9 is no node"):
        from_graph(nx.Graph([(1, 2)]), edges=[9])
