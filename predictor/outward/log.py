"""A log of changes that keeps, of each thing, its last change only.

So what one subscriber, however slow, has yet to hear is never more than all there is, and no buffer
is kept for it: it asks for what changed since the version it has. Of things that are gone a bounded
number is remembered; who has not heard of them for longer than that begins anew.

Must not know: what the rows mean, threads, subscribers.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

Key: TypeAlias = tuple[str, str]
R = TypeVar("R")

REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Entry(Generic[R]):
    """The last change of one thing. row: None = it is gone; at_ms: when that was heard."""

    key: Key
    row: R | None
    version: int
    at_ms: int


class Log(Generic[R]):
    """Things by (kind, name). version: of the last change; each change raises it by one."""

    def __init__(self, began_ms: int, remembered: int = REMEMBERED) -> None:
        self.version = 0
        self._remembered = remembered
        self._entries: OrderedDict[Key, Entry[R]] = OrderedDict()  # the last change last
        self._gone: OrderedDict[Key, None] = OrderedDict()  # the first to go first
        self._forgotten = 0  # the version of the last change that is not known any more
        self._known_since_ms = began_ms
        self._last_ms = began_ms

    def put(self, key: Key, row: R, at_ms: int) -> None:
        """The thing is like this now; nothing where it was like this already."""
        known = self._entries.get(key)
        if known is None or known.row != row:
            self._gone.pop(key, None)
            self._note(key, row, at_ms)

    def drop(self, key: Key, at_ms: int) -> None:
        """The thing is gone; nothing where it is not there."""
        known = self._entries.get(key)
        if known is None or known.row is None:
            return
        self._note(key, None, at_ms)
        self._gone[key] = None
        if len(self._gone) > self._remembered:
            oldest, _ = self._gone.popitem(last=False)
            forgotten = self._entries.pop(oldest)
            self._forgotten = forgotten.version
            self._known_since_ms = forgotten.at_ms + 1

    def get(self, key: Key) -> R | None:
        """The thing; None where it is not there."""
        entry = self._entries.get(key)
        return None if entry is None else entry.row

    def snapshot(self) -> list[Entry[R]]:
        """All there is, the last change last."""
        return [entry for entry in self._entries.values() if entry.row is not None]

    def since(self, version: int) -> list[Entry[R]] | None:
        """What changed after that version, in order; None where that is not known any more.

        Costs its result.
        """
        if not self._forgotten <= version <= self.version:
            return None
        return self._youngest(lambda entry: entry.version > version)

    def since_ms(self, at_ms: int) -> list[Entry[R]] | None:
        """What was heard at that time or later, in order; None where that is not known any more."""
        if at_ms < self._known_since_ms:
            return None
        return self._youngest(lambda entry: entry.at_ms >= at_ms)

    def _youngest(self, is_young: Callable[[Entry[R]], bool]) -> list[Entry[R]]:
        found = list(itertools.takewhile(is_young, reversed(self._entries.values())))
        found.reverse()
        return found

    def _note(self, key: Key, row: R | None, at_ms: int) -> None:
        self.version += 1
        self._last_ms = max(self._last_ms, at_ms)  # a clock that is set back changes no order
        self._entries[key] = Entry(key, row, self.version, self._last_ms)
        self._entries.move_to_end(key)
