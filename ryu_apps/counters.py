"""Totals that only grow, from switch counters that may start again; and what they count.

A flow's counters vanish with the flow and start at zero with a new one. A total adds what each
reading has grown since the one before; a reading below the last one counts from zero.
Pure: readings in, totals out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from openflow import cookies, tables
from openflow.cookies import Kind

K = TypeVar("K", bound=Hashable)

# Where a flow of ours stands and what it belongs to -> what its packets are.
_SERIES: Final = {
    (Kind.SERVICE, tables.CONNTRACK.number): "to",
    (Kind.SERVICE, tables.SERVICE.number): "new",
    (Kind.CONTAINER, tables.REMEMBER.number): "new",
    (Kind.CONTAINER, tables.ENDPOINT.number): "to",
    (Kind.CONTAINER, tables.CONNTRACK.number): "from",
}


@dataclass(frozen=True, slots=True)
class Series:
    """What a flow counts. kind and number: its object; what: "new" connections, "to" or "from"."""

    kind: Kind
    number: int
    what: str


def series_of(cookie: int, table: int) -> Series | None:
    """What the packets of a flow are counted as; None: nothing."""
    parts = cookies.read(cookie)
    what = _SERIES.get((parts.kind, table)) if parts else None
    return Series(parts.kind, parts.number, what) if parts and what else None


class Totals(Generic[K]):
    """Growing totals of some counters that belong together, by key."""

    def __init__(self) -> None:
        self._last: dict[K, tuple[int, ...]] = {}
        self._totals: dict[K, tuple[int, ...]] = {}

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
