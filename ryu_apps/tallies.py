"""What became of containers' connections, from the counters of their flows in all switches.

A container's counts are the sum over switches, of totals that only grow. A switch that has not been
read this time counts with what it said last. What a switch counted before its first round, or while
it was away, is not counted: it says nothing of now. Pure: readings in, counts out.

Must not know: how switches are asked, what is made of the counts (`gateway_lb.ejection`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from gateway_lb.ejection import Counts
from openflow.cookies import Kind
from openflow.fields import FIELDS, PROTO_TCP
from openflow.values import FieldMatch
from ryu_apps.counters import Series
from ryu_apps.readings import counted_by
from ryu_apps.reports import NotOurs, match_of
from ryu_apps.totals import Totals

_COUNTED: Final = ("new", "answered", "reset")
_TCP: Final = FieldMatch("ip_proto", PROTO_TCP, FIELDS["ip_proto"].full_mask)


class Tallies:
    """Counts by container number."""

    def __init__(self) -> None:
        self._totals: Totals[tuple[str, Series]] = Totals()
        self._reading: set[str] = set()  # switches, in this round
        self._known: set[str] = set()  # and in one before

    def read(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a switch's reading of flows; other flows than those of connections are ignored."""
        self._reading.add(dpid)
        for entry in entries:
            series = counted_by(entry)
            if series is not None and _is_counted(series) and _is_tcp(entry):
                if dpid not in self._known:
                    self._totals.begin((dpid, series), (entry.packet_count,))
                self._totals.read((dpid, series), (entry.packet_count,))

    def left(self, dpid: str) -> None:
        """A switch is gone, or does not answer, perhaps for a while."""
        self._reading.discard(dpid)
        self._known.discard(dpid)

    def counts(self, numbers: Collection[int]) -> dict[int, Counts]:
        """The counts of these containers at the end of a round, where any switch knows them; others
        are forgotten."""
        self._known |= self._reading
        self._reading.clear()
        self._totals.keep(lambda key: key[1].number in numbers)
        sums: dict[int, dict[str, int]] = {}
        for (_, series), (packets,) in self._totals:
            sums.setdefault(series.number, dict.fromkeys(_COUNTED, 0))[series.what] += packets
        return {
            number: Counts(found["new"], found["answered"], found["reset"])
            for number, found in sums.items()
        }


def _is_counted(series: Series) -> bool:
    return series.kind is Kind.CONTAINER and series.what in _COUNTED


def _is_tcp(entry: Any) -> bool:
    try:
        return match_of(entry).get("ip_proto") == _TCP
    except NotOurs:
        return False
