"""The objects of one kind as they were told last, and what has changed of them.

Owns: making anew what changes touch, and comparing.
Must not know: threads, watchers, numbers of events. Time is an argument.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pydantic import BaseModel

from nib.database import Nib
from nib.mirror import Lookups, RowChange
from prewire.api.watching.frames import put_data
from prewire.api.watching.history import Traits
from prewire.api.watching.kinds import Kind

_AT_ONCE: Final = 32  # units made in one look at the database, which stands still meanwhile
_SHARE: Final = 4  # pauses are so many times as long as the work before


@dataclass(frozen=True, slots=True)
class Shown:
    """An object as it was told. same: equal where nothing is new; data: what `put` frames have."""

    same: str
    data: str
    traits: Traits


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after; None: there was, or is, none."""

    key: str
    old: Shown | None
    new: Shown | None


class Holding:
    """The objects of a kind that somebody watches, by key.

    `renew` may run in any thread, one at a time; everything else where `objects` is read.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.objects: dict[str, Shown] = {}
        self._units: dict[str, frozenset[str]] = {}
        self._due: dict[str, int] = {}
        self._heard: list[RowChange] = []
        self._is_new = True
        self._rests_until = 0.0

    def hear(self, changes: Iterable[RowChange]) -> None:
        """Remember the changes that may touch it."""
        touches = self.kind.touches
        self._heard += (change for change in changes if change.kind in touches)

    def heard(self) -> list[RowChange]:
        """What was heard since the last call."""
        heard, self._heard = self._heard, []
        return heard

    def begin_anew(self, at_s: float) -> None:
        """Have everything made again, not before a time (monotonic seconds)."""
        self._is_new = True
        self._rests_until = at_s

    def wakes_at(self, now_s: float, now_ms: int) -> float | None:
        """When there is something to do, in monotonic seconds; None = not before a change."""
        if self._heard or self._is_new:
            return max(now_s, self._rests_until)
        if not self._due:
            return None
        return max(self._rests_until, now_s + max(0, min(self._due.values()) - now_ms) / 1000)

    def renew(self, nib: Nib, heard: list[RowChange], now_ms: int) -> list[Change]:
        """Make anew what was touched; returns what has changed, for `accept`. It takes a while."""
        began = time.monotonic()
        with nib.view() as view:
            touched = iter(self._touched(heard, view, now_ms))
        was_new, self._is_new = self._is_new, False
        found: list[Change] = []
        while some := tuple(islice(touched, _AT_ONCE)):
            with nib.view() as view:
                for unit in some:
                    found += self._made(unit, view, now_ms)
        if was_new:
            found += self._lost(found)
        ended = time.monotonic()
        self._rests_until = ended + max(self.kind.pace_s, _SHARE * (ended - began))
        return found

    def accept(self, changes: Iterable[Change]) -> None:
        """Have `objects` say so."""
        for change in changes:
            if change.new is None:
                self.objects.pop(change.key, None)
            else:
                self.objects[change.key] = change.new

    def _touched(self, heard: list[RowChange], view: Lookups, now_ms: int) -> list[str]:
        units = {unit for unit, due_ms in self._due.items() if due_ms <= now_ms}
        for change in () if self._is_new else heard:
            named = self.kind.touches[change.kind](change, view)
            if named is None:
                return self._all(view)
            units.update(named)
        return self._all(view) if self._is_new else sorted(units)

    def _all(self, view: Lookups) -> list[str]:
        return sorted({*self._units, *self.kind.units(view)})

    def _made(self, unit: str, view: Lookups, now_ms: int) -> Iterator[Change]:
        made = {key: self._shown(key, each) for key, each in self.kind.make(unit, view, now_ms)}
        before = self._units.pop(unit, frozenset[str]())
        self._due.pop(unit, None)
        if made:
            self._units[unit] = frozenset(made)
            due_ms = self.kind.due and self.kind.due(unit, view, now_ms)
            if due_ms:
                self._due[unit] = due_ms
        for key, new in made.items():
            old = self.objects.get(key)
            if old is None or old.same != new.same:
                yield Change(key, old, new)
        for key in sorted(before - made.keys()):
            if key in self.objects:
                yield Change(key, self.objects[key], None)

    def _lost(self, found: Iterable[Change]) -> list[Change]:
        """Objects that went while one of another unit could not be made: no unit knows of them."""
        told = {change.key for change in found}.union(*self._units.values())
        return [Change(key, old, None) for key, old in self.objects.items() if key not in told]

    def _shown(self, key: str, each: BaseModel) -> Shown:
        kind = self.kind
        text = each.model_dump_json(by_alias=True)
        same = text
        if kind.volatile:
            same = each.model_dump_json(by_alias=True, exclude=set(kind.volatile))
        traits = tuple(str(getattr(each, name)) for name in kind.filters)
        return Shown(same, put_data(kind.name, key, text), traits)
