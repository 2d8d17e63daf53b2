"""The last events of one server, in order, bounded.

Owns: their numbers, and how far back one can go.
Must not know: threads, watchers' connections, what an event is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

MAX_EVENTS: Final = 20_000
MAX_BYTES: Final = 16 << 20

# The values of an object's fields that watchers may choose by; None: there is no object.
Traits: TypeAlias = tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Event:
    """One object that changed: its traits before and after, and what all watchers are sent.

    kind: "" for a number that was left out.
    """

    kind: str
    key: str
    before: Traits
    after: Traits
    frame: bytes


NOTHING: Final = Event("", "", None, None, b"")


class History:
    """Events numbered from 1; `last` is the newest one's number."""

    def __init__(self, most: int = MAX_EVENTS, most_bytes: int = MAX_BYTES) -> None:
        self.last = 0
        self._most = most
        self._most_bytes = most_bytes
        self._events: list[Event] = []
        self._gone = 0  # of the list's head, those that are let go already
        self._bytes = 0

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept; `last` + 1 where none is."""
        return self.last - (len(self._events) - self._gone) + 1

    def add(self, event: Event) -> None:
        """Append it, and let the oldest go where there are too many."""
        self.last += 1
        self._events.append(event)
        self._bytes += len(event.frame)
        while len(self._events) - self._gone > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._events[self._gone].frame)
            self._events[self._gone] = NOTHING
            self._gone += 1
        if self._gone > self._most:
            del self._events[: self._gone]
            self._gone = 0

    def reaches(self, number: int) -> bool:
        """Whether everything after this number is kept."""
        return self.first - 1 <= number <= self.last

    def after(self, number: int, most: int) -> list[Event]:
        """The events after this number, so many at most. ValueError where some are gone."""
        if not self.reaches(number):
            raise ValueError(f"{number} is not between {self.first - 1} and {self.last}")
        begin = len(self._events) - (self.last - number)
        return list(islice(self._events, begin, begin + most))
