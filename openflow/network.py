"""Runs a packet through several switches: what one sends, the next receives.

A `Network` is a value: switches with their rules and their conntrack, links between their ports,
and what of it is out of order. `send` follows a packet, and every copy of it, until it leaves by an
edge port, goes to a controller, is dropped, is lost on a dead link, or passes more switches than
could be right. What is dead is known at once everywhere, as a port without a carrier is.

Must not know: which rules prewire makes, how switches are reached. Time does not pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from openflow.conntrack import Conntrack
from openflow.index import Index
from openflow.interpreter import Result, Sent, choose_by_hash, run
from openflow.packet import Packet
from openflow.values import CONTROLLER, RESERVED_PORTS, Group, Rules

MOST_HOPS: Final = 32
_MOST_COPIES: Final = 1_000  # in all: copies of a packet that loops may double at every switch

Fate = Literal["delivered", "controller", "dropped", "lost", "looped", "own forwarding"]
ChooseAt = Callable[[str, Group, Packet], int]
"""At a switch, the place of a select group's bucket; where that is dead, the next live one."""


def choose_alike(_switch: str, group: Group, packet: Packet) -> int:
    """The same of the same at every switch, as Open vSwitch's hash is the same everywhere."""
    return choose_by_hash(group, packet)


class Place(NamedTuple):
    """A port of a switch, by its number."""

    switch: str
    port: int


@dataclass(frozen=True, slots=True)
class Hop:
    """A switch that the packet passed: where it came in, and what the switch did."""

    place: Place
    result: Result


@dataclass(frozen=True, slots=True)
class End:
    """What became of the packet, or of one copy of it.

    delivered: left by an edge port, `place`; controller: sent to the controllers by `place.switch`;
    lost: sent into a link or port that is out of order, or to a switch that is; dropped: came to
    `place`, and nothing was sent; looped: came to `place` after too many switches; own forwarding:
    given to NORMAL, FLOOD, ALL or LOCAL, which are not modelled.

    path: where it came in, switch by switch, to the last; sent: absent where it was not sent.
    """

    fate: Fate
    place: Place
    packet: Packet
    path: tuple[Place, ...]
    sent: Sent | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """All of it: every end, every switch passed, and the network afterwards."""

    ends: tuple[End, ...]
    hops: tuple[Hop, ...]
    network: Network

    def of(self, *fates: Fate) -> tuple[End, ...]:
        """The ends of these kinds."""
        return tuple(end for end in self.ends if end.fate in fates)

    @property
    def errors(self) -> tuple[str, ...]:
        """Why switches would refuse to go on."""
        return tuple(error for hop in self.hops for error in hop.result.errors)


@dataclass(frozen=True, slots=True)
class Network:
    """Switches by name (a datapath id), and links by each of their ends; make it with `network`.

    A switch without rules drops everything. cut: ends of links, and edge ports, that are out of
    order; lost: switches that are.
    """

    switches: Mapping[str, Index]
    links: Mapping[Place, Place] = field(default_factory=dict)
    conntrack: Mapping[str, Conntrack] = field(default_factory=dict)
    cut: frozenset[Place] = frozenset()
    lost: frozenset[str] = frozenset()

    def programmed(self, rules: Mapping[str, Rules | Index]) -> Network:
        """With new rules in these switches; the rest, and all connections, stay."""
        return replace(self, switches={**self.switches, **_indexed(rules)})

    def having_cut(self, *places: Place) -> Network:
        """With these links (named by an end) and edge ports out of order."""
        return replace(self, cut=self.cut | self._both_ends(places))

    def having_mended(self, *places: Place) -> Network:
        """With these links and edge ports in order again."""
        return replace(self, cut=self.cut - self._both_ends(places))

    def having_lost(self, *switches: str) -> Network:
        """With these switches out of order."""
        return replace(self, lost=self.lost | set(switches))

    def having_restored(self, *switches: str) -> Network:
        """With these switches in order again; their rules and connections are those of before."""
        return replace(self, lost=self.lost - set(switches))

    def is_live(self, place: Place) -> bool:
        """Whether a port has a carrier: in order itself, and leading to a switch that is."""
        beyond = self.links.get(place)
        gone = {place.switch} if beyond is None else {place.switch, beyond.switch}
        return place not in self.cut and not gone & self.lost

    def send(
        self,
        place: Place,
        packet: Packet,
        *,
        choose: ChooseAt = choose_alike,
        most_hops: int = MOST_HOPS,
    ) -> Journey:
        """Follow a packet that comes in at a port; CONTROLLER: a packet-out to the first table.

        Registers and other metadata that the packet has do not count. most_hops: of one copy.
        """
        walk = _Walk(self, choose, most_hops)
        walk.go(place, packet.outside())
        return Journey(tuple(walk.ends), tuple(walk.hops), replace(self, conntrack=walk.conntrack))

    def _both_ends(self, places: Iterable[Place]) -> frozenset[Place]:
        ends = set(places)
        return frozenset(ends | {self.links[place] for place in ends if place in self.links})


def network(
    rules: Mapping[str, Rules | Index], links: Iterable[tuple[Place, Place]] = ()
) -> Network:
    """A network in order, without connections. links: each once. ValueError: a port in two."""
    ends: dict[Place, Place] = {}
    for one, other in links:
        for here, there in ((one, other), (other, one)):
            if here in ends or one == other:
                raise ValueError(f"{here} is an end of two links")
            ends[here] = there
    return Network(_indexed(rules), ends)


def _indexed(rules: Mapping[str, Rules | Index]) -> dict[str, Index]:
    return {
        switch: held if isinstance(held, Index) else Index(held) for switch, held in rules.items()
    }


@dataclass(frozen=True, slots=True)
class _Arriving:
    """A copy on its way: where it comes in, and where it came in before."""

    place: Place
    packet: Packet
    path: tuple[Place, ...] = ()


class _Walk:
    """The journey under way: collects what happens. Private to one call of `send`."""

    def __init__(self, fabric: Network, choose: ChooseAt, most_hops: int) -> None:
        self.ends: list[End] = []
        self.hops: list[Hop] = []
        self.conntrack = dict(fabric.conntrack)
        self._network = fabric
        self._choose = choose
        self._most_hops = most_hops
        self._waiting: deque[_Arriving] = deque()

    def go(self, place: Place, packet: Packet) -> None:
        """To the end, copy after copy in the order in which they were sent."""
        self._waiting.append(_Arriving(place, packet))
        while self._waiting:
            self._arrive(self._waiting.popleft())

    def _arrive(self, copy: _Arriving) -> None:
        if not self._network.is_live(copy.place):
            self._end("lost", copy.place, copy.packet, copy.path)
        elif len(copy.path) >= self._most_hops or len(self.hops) >= _MOST_COPIES:
            self._end("looped", copy.place, copy.packet, copy.path)
        else:
            self._pass(copy)

    def _pass(self, copy: _Arriving) -> None:
        """Through one switch."""
        place, path = copy.place, (*copy.path, copy.place)
        result = self._run(place, copy.packet.having(in_port=place.port))
        self.hops.append(Hop(place, result))
        self.conntrack[place.switch] = result.conntrack
        for sent in result.outputs:
            self._leave(Place(place.switch, sent.port), sent, path)
        if not result.outputs:
            self._end("dropped", place, copy.packet, path)

    def _run(self, place: Place, packet: Packet) -> Result:
        switch = place.switch

        def choose(group: Group, seen: Packet) -> int:
            return self._choose(switch, group, seen)

        def is_live(port: int) -> bool:
            return self._network.is_live(Place(switch, port))

        rules = self._network.switches.get(switch, _NO_RULES)
        return run(rules, packet, self.conntrack.get(switch), choose=choose, is_live=is_live)

    def _leave(self, place: Place, sent: Sent, path: tuple[Place, ...]) -> None:
        packet = sent.packet.outside()
        beyond = self._network.links.get(place)
        if place.port == CONTROLLER:
            self._end("controller", place, packet, path, sent)
        elif place.port in RESERVED_PORTS:
            self._end("own forwarding", place, packet, path, sent)
        elif not self._network.is_live(place):
            self._end("lost", place, packet, path, sent)
        elif beyond is None:
            self._end("delivered", place, packet, path, sent)
        else:
            self._waiting.append(_Arriving(beyond, packet, path))

    def _end(
        self,
        fate: Fate,
        place: Place,
        packet: Packet,
        path: tuple[Place, ...],
        sent: Sent | None = None,
    ) -> None:
        self.ends.append(End(fate, place, packet, path, sent))


_NO_RULES: Final = Index(Rules())
