"""Paths between switches: shortest, several where they are equally short, and a detour beside one.

Builds the graph of usable links, and says by which ports of a switch the way to another goes on. A
switch that is not under control (gone, or not programmed yet) is passed only where there is no
other way: nobody knows what it does with packets.

Must not know: groups, stations, when links come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import Final, NamedTuple

from nib.mirror import Lookups
from nib.topology import Link, Port, Switch

# More than any way through switches under control is long.
_OUT_OF_CONTROL: Final = 10_000

# Farther than anything: what has no way on turns last, when nobody goes by it any more.
NO_WAY: Final = 1 << 30


class Edge(NamedTuple):
    """One direction of a usable link, with the number of the port it leaves by."""

    switch: str
    port: int
    peer: str


@dataclass(frozen=True, slots=True)
class Hops:
    """How a switch goes on to another.

    distance: how far it is, falling along every path; ports: where the shortest paths leave;
    detour: where a longer one does, along which nothing comes back; only beside a single port.
    """

    distance: int
    ports: tuple[int, ...]
    detour: int | None = None


class Fabric:
    """The switches and usable links at one time."""

    def __init__(self, edges: frozenset[Edge], lost: frozenset[str]) -> None:
        """lost: the switches that are not under control."""
        self._edges: dict[str, list[Edge]] = {}
        for edge in sorted(edges):
            self._edges.setdefault(edge.switch, []).append(edge)
        self._lost = lost
        self._distances: dict[str, dict[str, int]] = {}

    def hops(self, here: str, target: str) -> Hops | None:
        """How `here` goes on to another switch; None where there is no way."""
        away = self._away_from(target)
        if here not in away:
            return None
        ports = tuple(edge.port for edge in self.onward(here, target))
        detour = self._detour(here, target) if len(ports) == 1 else None
        return Hops(away[here], ports, detour)

    def onward(self, here: str, target: str) -> tuple[Edge, ...]:
        """Where the shortest paths leave `here` for another switch; () where there is no way."""
        away = self._away_from(target)
        if here not in away:
            return ()
        leaving = self._edges[here]
        return tuple(edge for edge in leaving if self._length(edge, target) == away[here])

    def distance(self, here: str, target: str) -> int:
        """How far it is from `here` to another switch; NO_WAY where there is none."""
        return self._away_from(target).get(here, NO_WAY)

    def _detour(self, here: str, target: str) -> int | None:
        """A neighbour none of whose shortest paths come back (RFC 5286, section 3.1)."""
        away, back = self._away_from(target), self._away_from(here)
        free = [
            (self._length(edge, target), edge.port)
            for edge in self._edges[here]
            if away[here] < self._length(edge, target)
            and away[edge.peer] < back[edge.peer] + self._cost(here) + away[here]
        ]
        return min(free)[1] if free else None

    def _length(self, edge: Edge, target: str) -> int:
        """Of the shortest path that begins with this edge."""
        beyond = 0 if edge.peer == target else self._cost(edge.peer)
        return 1 + beyond + self._away_from(target)[edge.peer]

    def _cost(self, switch: str) -> int:
        return _OUT_OF_CONTROL if switch in self._lost else 0

    def _away_from(self, target: str) -> dict[str, int]:
        """The length of the shortest path to `target` by switch; computed once."""
        if target not in self._distances:
            self._distances[target] = self._measured(target)
        return self._distances[target]

    def _measured(self, target: str) -> dict[str, int]:
        """By Dijkstra's algorithm, from the target on.

        Our own: a graph library takes longer to load than a standby may take to lead.
        """
        found: dict[str, int] = {}
        reached = [(0, target)]
        while reached:
            length, nearest = heappop(reached)
            if nearest in found:
                continue
            found[nearest] = length
            beyond = length + 1 + (0 if nearest == target else self._cost(nearest))
            for edge in self._edges.get(nearest, ()):
                if edge.peer not in found:
                    heappush(reached, (beyond, edge.peer))
        return found


def fabric_of(view: Lookups) -> Fabric:
    """The switches and links in a view; the same object for the same."""
    return view.derived(_fabric_in, Link, Port, Switch)


def _fabric_in(view: Lookups) -> Fabric:
    lost = frozenset(switch.dpid for switch in view.all(Switch) if not switch.connected)
    links = (usable(link, view) for link in view.all(Link))
    return _fabric(frozenset(edge for edge in links if edge is not None), lost)


def usable(link: Link, view: Lookups) -> Edge | None:
    """A link that may carry traffic: seen in both directions, and both its ports up."""
    back = view.get(Link, (link.peer, link.peer_port))
    if back is None or (back.peer, back.peer_port) != link.key:
        return None
    here, there = view.get(Port, link.key), view.get(Port, (link.peer, link.peer_port))
    if here is None or there is None or not (here.up and there.up) or link.switch == link.peer:
        return None
    return Edge(link.switch, here.number, link.peer)


def is_fabric_port(port: Port, view: Lookups) -> bool:
    """Whether a link leaves or arrives by a port, usable or not: it is no edge port."""
    return view.get(Link, port.key) is not None or bool(view.links_to(*port.key))


def fabric_ports(dpid: str, view: Lookups) -> list[Port]:
    """The fabric ports of a switch, by number."""
    ports = (port for port in view.ports_of(dpid) if is_fabric_port(port, view))
    return sorted(ports, key=lambda port: port.number)


@lru_cache(maxsize=8)
def _fabric(edges: frozenset[Edge], lost: frozenset[str]) -> Fabric:
    return Fabric(edges, lost)
