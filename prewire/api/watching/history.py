"""The last events of one server, in order, bounded in time, number and size.

Owns: their numbers, and how far back one can go.
Must not know: threads, watchers' connections, what an event is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

MAX_SECONDS: Final = 300.0
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
        self._at_s: list[float] = []  # when each was added
        self._gone = 0  # of the list's head, those that are let go already
        self._bytes = 0

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept; `last` + 1 where none is."""
        return self.last - (len(self._events) - self._gone) + 1

    def add(self, event: Event, at_s: float) -> None:
        """Append it, and let go what is too old or too much. at_s: now, monotonic."""
        self.last += 1
        self._events.append(event)
        self._at_s.append(at_s)
        self._bytes += len(event.frame)
        while self._is_over(at_s):
            self._bytes -= len(self._events[self._gone].frame)
            self._events[self._gone] = NOTHING
            self._gone += 1
        if 2 * self._gone > len(self._events):
            del self._events[: self._gone]
            del self._at_s[: self._gone]
            self._gone = 0

    def _is_over(self, now_s: float) -> bool:
        """Whether the oldest event is one too many, or of too long ago."""
        kept = len(self._events) - self._gone
        if kept > self._most or self._bytes > self._most_bytes:
            return True
        return kept > 0 and now_s - self._at_s[self._gone] > MAX_SECONDS

    def reaches(self, number: int) -> bool:
        """Whether everything after this number is kept."""
        return self.first - 1 <= number <= self.last

    def after(self, number: int, most: int) -> list[Event]:
        """The events after this number, so many at most. ValueError where some are gone."""
        if not self.reaches(number):
            raise ValueError(f"{number} is not between {self.first - 1} and {self.last}")
        begin = len(self._events) - (self.last - number)
        return list(islice(self._events, begin, begin + most))
