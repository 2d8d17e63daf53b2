"""Networks of several switches as values: leaf-spine, ring, tree, and any graph.

In each some switches are *edge switches*, which have hosts: the first has the `client` and the
`gateway`, as many as are wanted have a client each (`cli2` is that of the second), and all have
containers, `c1`, `c2` and so on from the first switch to the last. Addresses are those of
`single_switch`; the client of edge switch N has host number 25600 + N (10.0.100.N).

On every switch the ports to other switches come first, in the order in which the links are given,
then those of the hosts. Datapath ids count from 1 in the order of the switches.

It knows nothing of Mininet, Open vSwitch or processes.
"""

import importlib
import ipaddress
import warnings
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import networkx as nx

from topologies.errors import SpecError
from topologies.spec import HostSpec, LinkSpec, NetworkSpec, SwitchSpec, container, numbered_host

_SUBNET: Final = ipaddress.IPv4Network("10.0.0.0/16")
_CLIENTS: Final = 25_600  # the host number of edge switch N's client is this and N
_MOST_CLIENTS: Final = 254
_MOST_CONTAINERS: Final = _CLIENTS - 11


def leaf_spine(
    spines: int = 2, leaves: int = 4, *, containers: int = 2, clients: int = 1
) -> NetworkSpec:
    """Switches `leaf1` to `leafN` with hosts, each linked to every one of `spine1` to `spineN`.

    Port S of a leaf leads to spine S, port L of a spine to leaf L. containers: on each leaf;
    clients: leaves that have one, from the first on. Raises SpecError.
    """
    _check_count("spines", spines, 1)
    _check_count("leaves", leaves, 1)
    lower = [f"leaf{number}" for number in range(1, leaves + 1)]
    upper = [f"spine{number}" for number in range(1, spines + 1)]
    trunks = [(leaf, spine) for leaf in lower for spine in upper]
    return _network([*lower, *upper], trunks, lower, containers, clients)


def ring(switches: int = 4, *, containers: int = 1, clients: int = 1) -> NetworkSpec:
    """Switches `s1` to `sN` in a ring, each with hosts. Raises SpecError for fewer than three."""
    _check_count("switches", switches, 3)
    names = _numbered(switches)
    return _network(names, pairwise([*names, names[0]]), names, containers, clients)


def tree(depth: int = 2, fanout: int = 2, *, containers: int = 1, clients: int = 1) -> NetworkSpec:
    """A tree with `depth` levels of switches, each with `fanout` below it but those of the last.

    `s1` is the root; the switches are numbered level by level, and the last level has the hosts.
    Raises SpecError.
    """
    _check_count("depth", depth, 1)
    _check_count("fanout", fanout, 1)
    names = _numbered(sum(fanout**level for level in range(depth)))
    trunks = [((number - 1) // fanout, number) for number in range(1, len(names))]
    named = [(names[above], names[below]) for above, below in trunks]
    return _network(names, named, names[-(fanout ** (depth - 1)) :], containers, clients)


def from_graph(
    graph: "nx.Graph[Any]",
    *,
    edges: Collection[Hashable] | None = None,
    containers: int = 1,
    clients: int = 1,
) -> NetworkSpec:
    """A network with the switches and links of a graph; directions do not count.

    Its nodes, in their order, are the switches `s1` to `sN`; a multigraph's parallel edges are as
    many links. edges: the nodes that have hosts, None = all. Raises SpecError.
    """
    names = dict(zip(graph, _numbered(len(graph)), strict=True))
    strangers = [node for node in edges or () if node not in names]
    if strangers:
        raise SpecError(f"edges: {strangers[0]!r} is no node of the graph")
    trunks = [(names[a], names[b]) for a, b in _undirected(graph).edges()]
    loops = [a for a, b in trunks if a == b]
    if loops:
        raise SpecError(f"graph: switch {loops[0]} is linked to itself")
    outer = [name for node, name in names.items() if edges is None or node in edges]
    return _network(list(names.values()), trunks, outer, containers, clients)


def from_topohub(name: str, *, containers: int = 1, clients: int = 1) -> NetworkSpec:
    """A network of the Topology Zoo and other collections, such as "topozoo/Abilene".

    Needs the package `topohub`, whose documentation lists the names. Raises SpecError.
    """
    try:
        topohub = importlib.import_module("topohub")
    except ImportError as error:
        raise SpecError(f"topohub cannot be imported ({error}): pip install topohub") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # topohub leaves its file to be closed
        try:
            found = topohub.get(name)
        except KeyError as error:
            raise SpecError(f"topohub has no topology {name!r}; try topozoo/Abilene") from error
    graph: nx.Graph[Any] = nx.node_link_graph(found, edges="edges")
    return from_graph(graph, containers=containers, clients=clients)


def _undirected(graph: "nx.Graph[Any]") -> "nx.Graph[Any]":
    """Both directions of a directed graph's edge are one link."""
    return graph.to_undirected() if graph.is_directed() else graph


def _numbered(count: int) -> list[str]:
    return [f"s{number}" for number in range(1, count + 1)]


def _network(
    names: Sequence[str],
    trunks: Iterable[tuple[str, str]],
    edges: Sequence[str],
    containers: int,
    clients: int,
) -> NetworkSpec:
    """Switches, their links, and hosts on the edge switches."""
    _check_count("containers", containers, 0)
    _check_count("clients", clients, 0)
    most = min(len(edges), _MOST_CLIENTS)
    if clients > most:
        raise SpecError(f"clients: {clients} is more than {most}, one on each edge switch")
    if containers * len(edges) > _MOST_CONTAINERS:
        raise SpecError(f"containers: more than {_MOST_CONTAINERS} in all have no addresses")
    ports: Counter[str] = Counter()
    links = [_link(ports, *trunk) for trunk in trunks]
    hosts: list[HostSpec] = []
    for place, switch in enumerate(edges, start=1):
        here = _hosts(place, containers, has_client=place <= clients)
        hosts += here
        links += [_link(ports, host.name, switch, a_port=0) for host in here]
    switches = tuple(SwitchSpec(name, dpid) for dpid, name in enumerate(names, start=1))
    return NetworkSpec(tuple(hosts), switches, tuple(links))


def _link(ports: Counter[str], a: str, b: str, a_port: int | None = None) -> LinkSpec:
    """A link at the next free port of each switch."""
    if a_port is None:
        ports[a] += 1
        a_port = ports[a]
    ports[b] += 1
    return LinkSpec(a, b, a_port, ports[b])


def _hosts(place: int, containers: int, *, has_client: bool) -> list[HostSpec]:
    """The hosts of one edge switch; place: from 1."""
    hosts = []
    if has_client:
        name, number = ("client", 1) if place == 1 else (f"cli{place}", _CLIENTS + place)
        hosts.append(numbered_host(name, number, "client", _SUBNET))
    if place == 1:
        hosts.append(numbered_host("gateway", 2, "gateway", _SUBNET))
    first = (place - 1) * containers + 1
    return hosts + [container(number, _SUBNET) for number in range(first, first + containers)]


def _check_count(field: str, count: int, least: int) -> None:
    if count < least:
        raise SpecError(f"{field}: {count} is less than {least}")
