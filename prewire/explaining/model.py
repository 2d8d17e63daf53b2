"""The network as the database has it, as a value that packets can be sent through.

A switch has those of the rules wanted of it that a packet can meet, compiled when it first comes
there. Nothing is asked of a switch.

Must not know: what is asked of the model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from nib.mirror import Lookups
from nib.topology import Link, Port, Switch
from openflow.index import Index
from openflow.network import Network, Place
from openflow.values import merged
from ryu_apps.compile import unit_rules
from ryu_apps.units import Unit


class WantedRules(Mapping[str, Index]):
    """The rules of some units in each switch by datapath id, compiled when first asked for."""

    def __init__(self, view: Lookups, units: Collection[Unit]) -> None:
        self._view: Final = view
        self._units: Final = units
        self._compiled: dict[str, Index] = {}

    def __getitem__(self, dpid: str) -> Index:
        if dpid not in self._compiled:
            switch = self._view.get(Switch, dpid)
            if switch is None:
                raise KeyError(dpid)
            parts = (unit_rules(unit, self._view, switch) for unit in sorted(self._units))
            self._compiled[dpid] = Index(merged(parts))
        return self._compiled[dpid]

    def __iter__(self) -> Iterator[str]:
        return iter([switch.dpid for switch in self._view.all(Switch)])

    def __len__(self) -> int:
        return self._view.count(Switch)


def model_of(view: Lookups, units: Collection[Unit], entry: Place) -> Network:
    """The network in a view, which must stand still as long as the model is used.

    units: what is compiled of the rules. entry: where packets will come in; its port counts as up,
    whatever the database says.
    """
    links = {}
    for link in view.all(Link):
        here, there = _place(link.key, view), _place((link.peer, link.peer_port), view)
        if here is not None and there is not None:
            links[here] = there
    down = {Place(port.switch, port.number) for port in view.all(Port) if not port.up}
    return Network(WantedRules(view, units), links, cut=frozenset(down - {entry}))


def _place(end: tuple[str, str], view: Lookups) -> Place | None:
    port = view.get(Port, end)
    return None if port is None else Place(port.switch, port.number)
