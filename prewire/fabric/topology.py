"""The fabric as a graph to be drawn: switches in layers, and the links between them.

Pure: a view of the database in, values out.

Must not know: how it is drawn, HTTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from pydantic import BaseModel, Field

from nib.mirror import Lookups
from nib.topology import Switch
from prewire.fabric.links import LinkOut, link_list
from prewire.fabric.located import HostOut, host_list


class NodeOut(BaseModel):
    """A switch of the fabric."""

    dpid: str = Field(description="datapath id, 16 hexadecimal digits")
    name: str
    connected: bool
    stations: int = Field(description="at its ports, node agents aside")
    layer: int | None = Field(
        description="links to the nearest switch with stations; null where no link leads to one"
    )
    problem: str = Field(description="why it does not hold what is wanted; empty if it does")


class TopologyOut(BaseModel):
    """The fabric: switches, and the links between them."""

    switches: list[NodeOut]
    links: list[LinkOut]


def topology_out(view: Lookups) -> TopologyOut:
    """The fabric at one time."""
    links = link_list(view).items
    stations = _stations(host_list(view).items)
    switches = sorted(view.all(Switch), key=lambda switch: switch.dpid)
    layers = _layers(stations.keys(), links)
    nodes = (_node(switch, stations[switch.dpid], layers) for switch in switches)
    return TopologyOut(switches=list(nodes), links=links)


def _node(switch: Switch, stations: int, layers: dict[str, int]) -> NodeOut:
    return NodeOut(
        dpid=switch.dpid,
        name=switch.name,
        connected=switch.connected,
        stations=stations,
        layer=layers.get(switch.dpid),
        problem=switch.problem,
    )


def _stations(hosts: Iterable[HostOut]) -> Counter[str]:
    """How many stations each switch has."""
    return Counter(each.switch for each in hosts if each.switch and each.source != "agent")


def _layers(edge: Collection[str], links: Iterable[LinkOut]) -> dict[str, int]:
    """How many links away from the nearest edge switch each switch is, whether they are up or
    not: a picture keeps its shape when a link fails."""
    import networkx as nx  # noqa: PLC0415 - 0.2 s, and only a picture of a fabric needs it

    graph = nx.Graph((link.switch, link.peer) for link in links)
    graph.add_nodes_from(edge)
    if not edge:
        return {}
    return dict(nx.multi_source_dijkstra_path_length(graph, set(edge), weight=None))
