"""What became of containers' connections, from the counters of their flows in all switches.

A container's counts are the sum over switches, of totals that only grow. A switch that has not been
read this time counts with what it said last. Pure: readings in, counts out.

Must not know: how switches are asked, what is made of the counts (`gateway_lb.ejection`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from gateway_lb.ejection import Counts
from openflow.cookies import Kind
from openflow.fields import PROTO_TCP
from ryu_apps.counters import Series, Totals, series_of
from ryu_apps.readings import tcp_flags

_COUNTED: Final = ("new", "answered", "reset")


class Tallies:
    """Counts by container number."""

    def __init__(self) -> None:
        self._totals: Totals[tuple[str, Series]] = Totals()

    def read(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a switch's reading of flows; other flows than those of connections are ignored."""
        for entry in entries:
            on = entry.match.items()
            series = series_of(entry.cookie, entry.table_id, entry.priority, tcp_flags(on))
            if series is not None and _is_counted(series) and ("ip_proto", PROTO_TCP) in on:
                self._totals.read((dpid, series), (entry.packet_count,))

    def counts(self, numbers: Collection[int]) -> dict[int, Counts]:
        """The counts of these containers, where any switch knows them; others are forgotten."""
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
