"""Which slots of a service with source affinity clients came by lately: those stay where they are.

A client's address leads to one slot. While new connections come by a slot, its container must not
change, or the client would lose its own; `affinity_seconds` after the last one it may. Switches
count the packets of each bucket, and bucket order is slot order; a slot is busy where its count has
grown since the reading before. A group that is replaced counts from zero again.

What was not read yet in a switch may be busy there: all slots stay until the first reading of every
connected switch, or until `affinity_seconds` after that was first missed. Pure: the time is an
argument, in milliseconds since 1970.

Must not know: how switches are asked, how slots are dealt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from gateway_lb.slots import SLOT_COUNTS


@dataclass(slots=True)
class _Service:
    """last: when a connection last came by each slot, None = never; counts: by switch, last read;
    missed: when a switch was first found not to be read, "" = any."""

    last: list[int | None] = field(default_factory=list)
    counts: dict[str, Sequence[int]] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)

    def unread_until(self, switches: Iterable[str], affinity_ms: int, now_ms: int) -> int | None:
        """Until when a reading is awaited, of these switches, or of any; None: of none."""
        missing = [switch for switch in switches if switch not in self.counts]
        if not self.counts:
            missing.append("")
        ends = [self.missed.setdefault(switch, now_ms) + affinity_ms for switch in missing]
        return max((end for end in ends if now_ms < end), default=None)

    def note(self, counts: Sequence[int], before: Sequence[int], now_ms: int) -> None:
        """Slots whose count is another than before, and not just zero again, are busy now."""
        size = len(counts)
        self.last = _resized(self.last, max(size, len(self.last)))
        base = before if len(before) == size else (0,) * size
        for slot, (count, last) in enumerate(zip(counts, base, strict=True)):
            if count and count != last:
                self.last[slot::size] = [now_ms] * (len(self.last) // size)


class SlotActivity:
    """Readings of slots by service; `pinned` says which slots may not move."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}

    def read(self, service: str, switch: str, counts: Sequence[int], now_ms: int) -> bool:
        """A switch's packet counts of the service's buckets, in order; whether they are its first.

        Counts of a group without slots (one bucket) say nothing of any slot.
        """
        known = self._services.setdefault(service, _Service())
        first = switch not in known.counts
        before = known.counts.get(switch, ())
        known.counts[switch] = counts
        if len(counts) in SLOT_COUNTS:
            known.note(counts, before, now_ms)
        return first

    def pinned(
        self,
        service: str,
        slots: int,
        affinity_ms: int,
        now_ms: int,
        *,
        switches: Collection[str] = (),
    ) -> frozenset[int]:
        """The slots of a table of this size that must stay where they are. switches: connected."""
        known = self._services.setdefault(service, _Service())
        if known.unread_until(switches, affinity_ms, now_ms) is not None:
            return frozenset(range(slots))
        if not slots:
            return frozenset()
        last = _resized(known.last, max(slots, len(known.last)))
        busy = (
            slot for slot, at in enumerate(last) if at is not None and now_ms < at + affinity_ms
        )
        return frozenset(slot % slots for slot in busy)

    def release_ms(
        self, service: str, affinity_ms: int, now_ms: int, *, switches: Collection[str] = ()
    ) -> int | None:
        """When the next slot may move; None where none is held. switches: connected."""
        known = self._services.get(service)
        if known is None:
            return None
        unread_until = known.unread_until(switches, affinity_ms, now_ms)
        if unread_until is not None:
            return unread_until
        times = (at + affinity_ms for at in known.last if at is not None)
        return min((at for at in times if now_ms < at), default=None)

    def forget(self, service: str) -> None:
        """The service is gone, or has no affinity any more."""
        self._services.pop(service, None)


def _resized(last: list[int | None], size: int) -> list[int | None]:
    """A table that doubles repeats itself (`gateway_lb.slots`), and so do its slots' times."""
    return last * (size // len(last)) if last else [None] * size
