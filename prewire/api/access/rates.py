"""How much one client may ask: a leaky bucket for each.

Owns: the buckets, as the one time at which each is empty again (GCRA, as of ATM Forum TM 4.1).
Must not know: who a client is, what is answered. Pure: time is an argument, monotonic seconds.
"""

from __future__ import annotations

import math
from typing import Final

MAX_KEPT: Final = 10_000
_EXACT_S: Final = 1e-6


class Rates:
    """At most `per_second` in the long run and `burst` at once, for each key."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._cost_s = 1 / per_second
        self._depth_s = burst / per_second
        self._empty_at: dict[str, float] = {}

    def wait_s(self, key: str, now_s: float) -> float:
        """0: taken. Else how long until there is room, and nothing is taken."""
        empty_at = max(self._empty_at.get(key, 0.0), now_s)
        over = empty_at + self._cost_s - now_s - self._depth_s
        if over > _EXACT_S:
            return over
        if len(self._empty_at) >= MAX_KEPT and key not in self._empty_at:
            self._forget(now_s)
        self._empty_at[key] = empty_at + self._cost_s
        return 0.0

    def _forget(self, now_s: float) -> None:
        """Those that are empty; all where none is, rather than grow."""
        kept = {key: at for key, at in self._empty_at.items() if at > now_s}
        self._empty_at = kept if len(kept) < MAX_KEPT else {}


def whole_seconds(wait_s: float) -> int:
    """As Retry-After has it."""
    return max(1, math.ceil(wait_s))
