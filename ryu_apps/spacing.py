"""At most once in so many seconds, for each of many things. Pure: the time is an argument.

Must not know: what is done once, or why.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_MOST_KEYS: Final = 4096


class Spacing:
    """Remembers at most `most` keys; beyond that, what is new has to wait."""

    def __init__(self, seconds: float, most: int = _MOST_KEYS) -> None:
        self._seconds = seconds
        self._most = most
        self._last: dict[Hashable, float] = {}  # the oldest first

    def allows(self, key: Hashable, now: float) -> bool:
        """Whether it is time again for this key, which then begins to wait anew."""
        self._forget(now)
        if key in self._last or len(self._last) >= self._most:
            return False
        self._last[key] = now
        return True

    def _forget(self, now: float) -> None:
        while self._last:
            key, last = next(iter(self._last.items()))
            if now - last < self._seconds:
                return
            del self._last[key]
