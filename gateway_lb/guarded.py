"""A container whose connections are capped: what each switch counted of it, and how sure that is.

Must not know: who is admitted (`gateway_lb.admission`); of a switch, more than a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway_lb.connections import Count

# A connection made this long before a count was taken is in it: the count takes time, and the
# clocks of hosts differ.
SETTLE_MS: Final = 300


@dataclass(slots=True)
class Guarded:
    """A container. cap: None = none of its own; is_new: nobody was connected when it came; counts:
    by switch; pending: permits that no count has yet."""

    cap: int | None
    since_ms: int
    is_new: bool
    counts: dict[str, Count] = field(default_factory=dict)
    pending: int = 0

    def is_fresh(self, at_ms: int) -> bool:
        """Whether a count of this time has all that was there when the container was guarded."""
        return at_ms >= self.since_ms + SETTLE_MS

    @property
    def taken(self) -> int:
        """Connections that it has at most, as far as switches have counted them."""
        return sum(count.open for count in self.counts.values()) + self.pending

    def settled_ms(self, switches: Iterable[str]) -> int:
        """Up to when connections through these switches are in their counts."""
        times = (self._counted_ms(switch) for switch in switches)
        return min(times) - SETTLE_MS

    def _counted_ms(self, switch: str) -> int:
        """When a switch counted last, 0 = never; of one that is not known, when all had."""
        if switch or switch in self.counts:
            return self.counts[switch].at_ms if switch in self.counts else 0
        return min((count.at_ms for count in self.counts.values()), default=0)
