"""Admission: who may have one more connection, where connections are capped.

A container's connections are those that were counted last, plus every permit given since: what a
count says of a permit is trusted only when the connection was made SETTLE_MS before the count was
taken. Closings only lower the truth, so the sum is never below it; where nothing is known, nobody
is admitted. A client's address and ports have at most one connection at a container, so that a SYN
sent again needs no second permit while the first is pending.

Must not know: packets, rows, switches, the clock (times are arguments, milliseconds since 1970).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

# A connection made this long before a count was taken is in it: the count takes time, and the
# clocks of hosts differ.
SETTLE_MS: Final = 300

# How long one waits in silence for a first count; then SYNs are refused.
PATIENCE_MS: Final = 3_000

# A client sends its SYN again for about this long, and no longer than conntrack keeps it.
_REMEMBERED_MS: Final = 60_000
_MAX_REMEMBERED: Final = 65_536


class Answer(Enum):
    """What becomes of a SYN."""

    ADMIT = "admit"
    REFUSE = "refuse"
    WAIT = "wait"  # say nothing: the client asks again


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer; with ADMIT the container's number, and whether the SYN was let through before."""

    answer: Answer
    container: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """A SYN. client: addresses and ports of both ends; serial: its sequence number."""

    client: bytes
    serial: int


@dataclass(slots=True)
class _Permit:
    """under_way: its SYNs that may not be out of the switch yet; at_ms: when the last one was."""

    serial: int
    container: int
    under_way: int = 1
    at_ms: int = 0


@dataclass(slots=True)
class _Guarded:
    """A container. cap: None = none of its own; counted_ms: None = never counted."""

    cap: int | None
    since_ms: int
    open: int = 0
    counted_ms: int | None = None
    pending: int = 0

    @property
    def taken(self) -> int | None:
        """Connections that it has at most; None = not known."""
        return None if self.counted_ms is None else self.open + self.pending


class Admission:
    """One service's caps, counts and permits."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._guarded: dict[int, _Guarded] = {}
        self._pending: dict[bytes, _Permit] = {}
        self._settled: dict[bytes, _Permit] = {}  # oldest first

    def guard(
        self,
        caps: Mapping[int, int | None],
        total: int | None,
        now_ms: int,
        unused: Collection[int] = (),
    ) -> None:
        """Containers and their caps from now on, and the cap of all together; None = no cap.

        Permits and counts of containers that stay are kept. unused: numbers of new ones that
        nobody can be connected to yet. Of the others a count is awaited.
        """
        self._total = total
        for number in self._guarded.keys() - caps.keys():
            self._forget(number)
        for number, cap in caps.items():
            known = self._guarded.get(number)
            if known is not None:
                known.cap = cap
                continue
            counted_ms = now_ms if number in unused else None
            self._guarded[number] = _Guarded(cap, now_ms, counted_ms=counted_ms)

    def counted(self, container: int, connections: int, at_ms: int) -> None:
        """The container had so many connections at a time. What is older than known is ignored."""
        known = self._guarded.get(container)
        if known is None or at_ms < known.since_ms + SETTLE_MS or at_ms < (known.counted_ms or 0):
            return
        known.open, known.counted_ms = connections, at_ms
        self._settle(container, at_ms - SETTLE_MS)

    def admit(self, attempt: Attempt, slots: Sequence[int], now_ms: int) -> Verdict:
        """Whether a SYN may pass, and to which container; by slot, on to the next with room.

        Follow each ADMIT by `passed` when the SYN is out; until then the permit cannot settle.
        """
        before = self._pending.get(attempt.client)
        if before is not None:
            before.serial = attempt.serial
            before.under_way += 1
            return Verdict(Answer.ADMIT, before.container, again=True)
        settled = self._settled.get(attempt.client)
        if settled is not None and settled.serial == attempt.serial:
            return self._once_more(attempt, settled.container, now_ms)
        return self._first_with_room(attempt, slots, now_ms)

    def passed(self, client: bytes, now_ms: int) -> None:
        """The switch has sent one SYN of the client on, or never will."""
        permit = self._pending.get(client)
        if permit is not None:
            permit.under_way -= 1
            permit.at_ms = now_ms

    def is_full(self, containers: Collection[int]) -> bool:
        """Whether it is known that none of the containers has room; False where there is none."""
        return bool(containers) and all(
            self._room(container, 0) is Answer.REFUSE for container in containers
        )

    def _once_more(self, attempt: Attempt, container: int, now_ms: int) -> Verdict:
        """The same SYN after its permit settled: its connection may exist, or have been lost.

        No other container may take it. Without room it is not refused, for that would end a
        connection which is about to be answered.
        """
        if self._room(container, now_ms) is Answer.ADMIT:
            return self._permitted(attempt, container, again=True)
        return Verdict(Answer.WAIT)

    def _first_with_room(self, attempt: Attempt, slots: Sequence[int], now_ms: int) -> Verdict:
        verdict = Verdict(Answer.REFUSE)
        for container in _walk(slots, zlib.crc32(attempt.client)):
            answer = self._room(container, now_ms)
            if answer is Answer.ADMIT:
                return self._permitted(attempt, container, again=False)
            if answer is Answer.WAIT:
                verdict = Verdict(Answer.WAIT)
        return verdict

    def _room(self, container: int, now_ms: int) -> Answer:
        """ADMIT where one more fits, REFUSE where not, WAIT where that will be known soon."""
        known = self._guarded.get(container)
        if known is None:
            return Answer.REFUSE
        own = _fits(known.taken, known.cap)
        if self._total is not None:
            taken = [each.taken for each in self._guarded.values()]
            every = None if None in taken else sum(each or 0 for each in taken)
            own = _stricter(own, _fits(every, self._total))
        if own is Answer.WAIT and self._uncounted_since() + PATIENCE_MS < now_ms:
            return Answer.REFUSE
        return own

    def _uncounted_since(self) -> int:
        uncounted = (k.since_ms for k in self._guarded.values() if k.counted_ms is None)
        return min(uncounted, default=0)

    def _permitted(self, attempt: Attempt, container: int, *, again: bool) -> Verdict:
        self._settled.pop(attempt.client, None)
        self._pending[attempt.client] = _Permit(attempt.serial, container)
        self._guarded[container].pending += 1
        return Verdict(Answer.ADMIT, container, again)

    def _settle(self, container: int, until_ms: int) -> None:
        """Permits whose connections the count has are pending no more."""
        over = [
            client
            for client, permit in self._pending.items()
            if permit.container == container and not permit.under_way and permit.at_ms <= until_ms
        ]
        for client in over:
            self._settled[client] = self._pending.pop(client)
        self._guarded[container].pending -= len(over)
        self._tidy(until_ms - _REMEMBERED_MS)

    def _tidy(self, until_ms: int) -> None:
        """Forget the oldest of what is settled."""
        while self._settled:
            client, permit = next(iter(self._settled.items()))
            if permit.at_ms > until_ms and len(self._settled) <= _MAX_REMEMBERED:
                return
            del self._settled[client]

    def _forget(self, container: int) -> None:
        del self._guarded[container]
        for permits in (self._pending, self._settled):
            for client in [c for c, permit in permits.items() if permit.container == container]:
                del permits[client]


def _fits(taken: int | None, cap: int | None) -> Answer:
    if cap is None:
        return Answer.ADMIT
    if taken is None:
        return Answer.WAIT
    return Answer.ADMIT if taken < cap else Answer.REFUSE


def _stricter(one: Answer, other: Answer) -> Answer:
    for answer in (Answer.REFUSE, Answer.WAIT):
        if answer in (one, other):
            return answer
    return Answer.ADMIT


def _walk(slots: Sequence[int], start: int) -> Iterator[int]:
    """Each container once, by slot, beginning at slot `start` modulo their number."""
    seen = set()
    for offset in range(len(slots)):
        container = slots[(start + offset) % len(slots)]
        if container not in seen:
            seen.add(container)
            yield container
