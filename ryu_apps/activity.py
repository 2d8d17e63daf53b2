"""Which slots of a service with source affinity clients came by lately: those stay where they are.

A client's address leads to one slot. While new connections come by a slot, its container must not
change, or the client would lose its own; `affinity_seconds` after the last one it may. Switches
count the packets of each bucket, and bucket order is slot order; a slot is busy where its count has
grown since the reading before. A group that is replaced counts from zero again.

What nobody has read yet may be busy: all slots stay until the first reading, or until
`affinity_seconds` after the service was first asked about. Pure: the time is an argument, in
milliseconds since 1970.

Must not know: how switches are asked, how slots are dealt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway_lb.slots import SLOT_COUNTS


@dataclass(slots=True)
class _Service:
    """last: when a connection last came by each slot, None = never; counts: by switch, last read.

    since_ms: when it was first asked about; read: whether any switch has answered.
    """

    since_ms: int
    read: bool = False
    last: list[int | None] = field(default_factory=list)
    counts: dict[str, Sequence[int]] = field(default_factory=dict)

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
        """A switch's packet counts of the service's buckets, in order; whether it is the first.

        Counts of a group without slots (one bucket) say nothing of any slot.
        """
        known = self._services.setdefault(service, _Service(now_ms))
        first, known.read = not known.read, True
        before = known.counts.get(switch, ())
        known.counts[switch] = counts
        if len(counts) in SLOT_COUNTS:
            known.note(counts, before, now_ms)
        return first

    def pinned(self, service: str, slots: int, affinity_ms: int, now_ms: int) -> frozenset[int]:
        """The slots of a table of this size that must stay where they are."""
        known = self._services.setdefault(service, _Service(now_ms))
        if not known.read and now_ms < known.since_ms + affinity_ms:
            return frozenset(range(slots))
        if not slots:
            return frozenset()
        last = _resized(known.last, max(slots, len(known.last)))
        busy = (
            slot for slot, at in enumerate(last) if at is not None and now_ms < at + affinity_ms
        )
        return frozenset(slot % slots for slot in busy)

    def release_ms(self, service: str, affinity_ms: int, now_ms: int) -> int | None:
        """When the next slot may move; None where none is held."""
        known = self._services.get(service)
        if known is None:
            return None
        if not known.read and now_ms < known.since_ms + affinity_ms:
            return known.since_ms + affinity_ms
        times = (at + affinity_ms for at in known.last if at is not None)
        return min((at for at in times if now_ms < at), default=None)

    def forget(self, service: str) -> None:
        """The service is gone, or has no affinity any more."""
        self._services.pop(service, None)


def _resized(last: list[int | None], size: int) -> list[int | None]:
    """A table that doubles repeats itself (`gateway_lb.slots`), and so do its slots' times."""
    return last * (size // len(last)) if last else [None] * size
