"""A network value as rows of the database, and compiled rules as switches that packets run through.

`infrastructure`, `learned` and `containers` turn the parts of a NetworkSpec into the records that
a controller and its users would write; `fabric` puts the rules compiled from a view of them into an
`openflow.network.Network` cabled as the spec says, so that a test may let the two differ. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import networkx as nx
from hypothesis import strategies as st

from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror, RowChange
from nib.records import Record
from nib.topology import Host, Link, Port, Switch
from openflow.network import Network, Place, network
from openflow.values import Rules, merged
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from topologies.shapes import from_graph
from topologies.spec import HostSpec, LinkSpec, NetworkSpec, interface_name

SPEED_BPS = 10_000_000_000

# ------------------------------------------------------------------------------------------ rows


def infrastructure(spec: NetworkSpec) -> list[Record]:
    """Switches (conntrack zone N of the Nth), their ports, all up, and links in both directions."""
    rows: list[Record] = [
        Switch(switch.dpid_hex16, zone, switch.name, connected=True)
        for zone, switch in enumerate(spec.switches, start=1)
    ]
    attached = {spec.port_of(host.name): host for host in spec.containers}
    for link in spec.links:
        for name, number in link.ends():
            if not is_switch(spec, name):
                continue
            switch = spec.switch(name)
            key = switch.dpid_hex16, interface_name(name, number)
            rows.append(_port(key, number, attached.get(key)))
    return rows + [row for link in spec.trunks for row in link_rows(spec, link)]


def link_rows(spec: NetworkSpec, link: LinkSpec) -> tuple[Link, Link]:
    """Both directions of a link between switches."""
    here, there = (
        (spec.switch(name).dpid_hex16, interface_name(name, port)) for name, port in link.ends()
    )
    return Link(*here, *there), Link(*there, *here)


def learned(spec: NetworkSpec, names: Iterable[str] | None = None) -> list[Host]:
    """Hosts as they were heard at their ports. names: None = all that are no containers."""
    hosts = [host for host in spec.hosts if host.role != "container"]
    if names is not None:
        hosts = [spec.host(name) for name in names]
    return [Host(host.mac, *spec.port_of(host.name), addresses_of(host)) for host in hosts]


def containers(
    spec: NetworkSpec, service: Service, names: Iterable[str] | None = None, first_number: int = 100
) -> list[Container]:
    """Containers of a service, attached by iface-id. names: of container hosts, None = all."""
    hosts = spec.containers if names is None else [spec.host(name) for name in names]
    return [
        Container(
            service.name,
            host.name,
            _address(host, service),
            host.http_port or 8080,
            host.mac,
            iface_id=host.name,
            number=number,
        )
        for number, host in enumerate(hosts, start=first_number)
    ]


def mirror_of(rows: Iterable[Record], *, is_dealt: bool = True) -> Mirror:
    """A database with these rows. is_dealt: with a slot table for every service among them."""
    view = Mirror()
    for row in rows:
        view.apply(RowChange(None, row))
    for service in view.all(Service) if is_dealt else ():
        dealt = next_slots(service.name, view, 0)
        if dealt is not None:
            view.apply(RowChange(None, dealt))
    return view


def addresses_of(host: HostSpec) -> frozenset[str]:
    """Its IP addresses."""
    return frozenset(each for each in (host.address, host.address6) if each is not None)


def is_switch(spec: NetworkSpec, name: str) -> bool:
    """Whether a link's end of this name is a switch."""
    return any(switch.name == name for switch in spec.switches)


def _port(key: tuple[str, str], number: int, container: HostSpec | None) -> Port:
    digits = f"0277{int(key[0], 16):04x}{number:04x}"
    mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    iface_id, attached = (container.name, container.mac) if container else (None, None)
    return Port(*key, number, mac, iface_id, attached, up=True, speed_bps=SPEED_BPS)


def _address(host: HostSpec, service: Service) -> str:
    """The one of the family of the service's VIP."""
    address = host.address6 if ":" in service.vip else host.address
    assert address is not None, f"{host.name} has no IPv6 address"
    return address


# -------------------------------------------------------------------------------------- switches


def compiled(view: Lookups) -> dict[str, Rules]:
    """What is compiled for every switch, by datapath id."""
    return {
        switch.dpid: merged(compile_state(view, switch).values()) for switch in view.all(Switch)
    }


def fabric(spec: NetworkSpec, rules: Mapping[str, Rules]) -> Network:
    """The spec's switches and cables with these rules, by datapath id."""
    return network(rules, [ends(spec, link) for link in spec.trunks])


def ends(spec: NetworkSpec, link: LinkSpec) -> tuple[Place, Place]:
    """Both ends of a link between switches."""
    one, other = (Place(spec.switch(name).dpid_hex16, port) for name, port in link.ends())
    return one, other


def place_of(spec: NetworkSpec, host: str) -> Place:
    """The edge port that a host is plugged into."""
    switch, port = spec.switch_port(host)
    return Place(switch.dpid_hex16, port)


def edge_places(spec: NetworkSpec) -> dict[Place, HostSpec]:
    """The hosts by where they are plugged in."""
    return {place_of(spec, host.name): host for host in spec.hosts}


# ------------------------------------------------------------------------------------ strategies


@st.composite
def connected_graphs(draw: st.DrawFn, most: int = 12, least: int = 2) -> nx.Graph[Any]:
    """Connected graphs without parallel edges; they shrink to a path of few switches."""
    size = draw(st.integers(least, most))
    graph: nx.Graph[Any] = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(
        (number - draw(st.integers(1, number)), number) for number in range(1, size)
    )
    node = st.integers(0, size - 1)
    more: Sequence[tuple[int, int]] = draw(st.lists(st.tuples(node, node), max_size=size))
    graph.add_edges_from((a, b) for a, b in more if a != b)
    return graph


def fabrics(most: int = 12, *, containers: int = 1) -> st.SearchStrategy[NetworkSpec]:
    """Networks of 2 to `most` switches, each with a client and containers."""
    return connected_graphs(most).map(
        lambda graph: from_graph(graph, containers=containers, clients=len(graph))
    )
