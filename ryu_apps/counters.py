"""Totals that only grow, from switch counters that may start again; and what they count.

A flow's counters vanish with the flow and start at zero with a new one. A total adds what each
reading has grown since the one before; a reading below the last one counts from zero. Where several
flows count the same, each has a total of its own.
Pure: readings in, totals out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from openflow import cookies, tables
from openflow.cookies import Kind
from openflow.packet import RST, SYN_ACK

K = TypeVar("K", bound=Hashable)

# Where a flow of ours stands, and what it belongs to -> what its packets are. None: any priority.
# Each packet meets one flow of a series at most. Not counted are, in tables conntrack and origin,
# what a container sends to a VIP (answers to its checks among it) and direct connections to it.
# Packets of a container pass the flow of OWN_PRIORITY in its own switch, and in the client's too.
OWN_PRIORITY: Final = 80
_SERIES: Final = {
    (Kind.SERVICE, tables.CONNTRACK.number, None): "to",
    (Kind.SERVICE, tables.SERVICE.number, None): "new",
    (Kind.CONTAINER, tables.REMEMBER.number, None): "new",
    (Kind.CONTAINER, tables.ENDPOINT.number, None): "to",
    (Kind.CONTAINER, tables.CONNTRACK.number, OWN_PRIORITY): "from",
    (Kind.CONTAINER, tables.ORIGIN.number, 100): "from",
}

# The same for flows that match TCP flags.
_OUTCOMES: Final = {SYN_ACK: "answered", RST: "reset"}


@dataclass(frozen=True, slots=True)
class Series:
    """What flows count. kind and number: their object; what: "new" connections, packets "to" or
    "from", "answered" connections, or those "reset" by the container."""

    kind: Kind
    number: int
    what: str


def series_of(cookie: int, table: int, priority: int, tcp_flags: int = 0) -> Series | None:
    """What the packets of a flow are counted as; None: nothing. tcp_flags: that it matches, set."""
    parts = cookies.read(cookie)
    if parts is None:
        return None
    what = (
        _SERIES.get((parts.kind, table, priority))
        or _SERIES.get((parts.kind, table, None))
        or (_OUTCOMES.get(tcp_flags) if _has_outcomes(parts.kind, table) else None)
    )
    return Series(parts.kind, parts.number, what) if what else None


def _has_outcomes(kind: Kind, table: int) -> bool:
    return (kind, table) == (Kind.CONTAINER, tables.REPLY.number)


class Totals(Generic[K]):
    """Growing totals of some counters that belong together, by key."""

    def __init__(self) -> None:
        self._last: dict[K, tuple[int, ...]] = {}
        self._totals: dict[K, tuple[int, ...]] = {}

    def begin(self, key: K, values: tuple[int, ...]) -> None:
        """Count from this reading on, whatever the counters grew before it."""
        self._totals.setdefault(key, (0,) * len(values))
        self._last[key] = values

    def read(self, key: K, values: tuple[int, ...]) -> None:
        """A new reading of the counters of `key`."""
        last = self._last.get(key, (0,) * len(values))
        total = self._totals.get(key, (0,) * len(values))
        grown = (
            value - before if value >= before else value
            for value, before in zip(values, last, strict=True)
        )
        self._totals[key] = tuple(a + b for a, b in zip(total, grown, strict=True))
        self._last[key] = values

    def keep(self, wanted: Callable[[K], object]) -> None:
        """Forget the keys that are not wanted."""
        for key in [key for key in self._totals if not wanted(key)]:
            del self._totals[key], self._last[key]

    def __iter__(self) -> Iterator[tuple[K, tuple[int, ...]]]:
        return iter(list(self._totals.items()))
