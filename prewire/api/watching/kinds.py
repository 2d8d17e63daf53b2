"""What a kind of object is to watchers: how its objects are made, and what changes them.

Owns: the value that describes a kind. The kinds there are, `catalogue` lists.
Must not know: watchers, HTTP.

A *unit* is what is made anew together: a service's containers, one plan, all links. A change of a
row touches units; only these are made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import BaseModel

from nib.mirror import Lookups, RowChange
from nib.records import Record

ALL: Final = ""  # the unit of kinds whose objects are made all at once

# Names of units that a change of a row touches; None: every one.
Touched: TypeAlias = Iterable[str] | None
Touch: TypeAlias = Callable[[RowChange, Lookups], Touched]

# An object by its key, as in "web/c1".
Keyed: TypeAlias = tuple[str, BaseModel]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object.

    path: of its list. touches: by class of row. units: all there are. make: the objects of a unit
    at a time, in milliseconds since 1970; none where the unit is gone. due: when time alone changes
    a unit, None = never. filters: fields that a watcher may choose by. volatile: fields that change
    by themselves and are no news.

    pace_s: objects are made again this often at most. newest: of a snapshot, the last so many.
    grows: objects are added only, and their end is no news.
    """

    name: str
    path: str
    touches: Mapping[type[Record], Touch]
    units: Callable[[Lookups], Iterable[str]]
    make: Callable[[str, Lookups, int], Iterable[Keyed]]
    due: Callable[[str, Lookups, int], int | None] | None = None
    filters: tuple[str, ...] = ()
    volatile: frozenset[str] = field(default_factory=frozenset)
    pace_s: float = 0.05
    newest: int | None = None
    grows: bool = False


def everything(_change: RowChange, _view: Lookups) -> Touched:
    """Any change of the row touches every unit."""
    return None


def by(name: Callable[[Record], str]) -> Touch:
    """A change touches the unit that the row names."""
    return lambda change, _view: (name(change.record),)


def whole(make: Callable[[Lookups, int], Iterable[Keyed]]) -> Callable[..., Iterable[Keyed]]:
    """`make` of a kind whose objects are made all at once."""
    return lambda _unit, view, now_ms: make(view, now_ms)


def one_unit(_view: Lookups) -> tuple[str, ...]:
    """`units` of such a kind."""
    return (ALL,)


def soonest(times: Iterable[int | None], now_ms: int) -> int | None:
    """The first of these times that is still to come; None where there is none."""
    return min((time for time in times if time is not None and time > now_ms), default=None)
