"""When each of many things is due next.

One time for each key, which may be moved or taken back; the earliest is always at hand. Pure: the
time is an argument, in any unit.

Must not know: clocks, threads, what becomes due.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

K = TypeVar("K", str, tuple[str, str])

_SPARE: Final = 64  # outdated entries that are not worth clearing away


class Alarms(Generic[K]):
    """Setting, moving and taking back cost the logarithm of their number, on average."""

    def __init__(self) -> None:
        self._at: dict[K, int] = {}
        self._heap: list[tuple[int, K]] = []  # outdated where it differs from _at

    def set(self, key: K, at: int | None) -> None:
        """The key is due at this time, in place of any other; None: never."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, key))
            self._clear_away()

    def earliest(self) -> int | None:
        """When the first key is due; None where no key is set."""
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: int) -> list[K]:
        """The keys that are due, earliest first; they are set no more."""
        due: list[K] = []
        while (at := self.earliest()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._at[key]
            due.append(key)
        return due

    def _holds(self, entry: tuple[int, K]) -> bool:
        return self._at.get(entry[1]) == entry[0]

    def _clear_away(self) -> None:
        """Times that are moved again and again must not fill the memory."""
        if len(self._heap) > 2 * len(self._at) + _SPARE:
            self._heap = [(at, key) for key, at in self._at.items()]
            heapq.heapify(self._heap)
