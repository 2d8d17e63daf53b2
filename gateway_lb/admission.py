"""Admission: who may have one more connection, where connections are capped.

A container's connections are those that each switch counted last, plus every permit given since:
what a switch's count says of a permit is trusted only when the SYN came in there, SETTLE_MS before
the count was taken. Closings only lower the truth, so the sum is never below it; where nothing is
known, nobody is admitted. A client's address and ports have at most one connection at a container,
so that a SYN sent again needs no second permit while the first is pending.

Must not know: packets, rows, the clock (times are arguments, milliseconds since 1970); of a switch,
more than a name.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway_lb.connections import Count
from gateway_lb.guarded import SETTLE_MS, Guarded

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
    """A SYN. client: addresses and ports of both ends; serial: its sequence number; switch: where
    it came in, "" = not known."""

    client: bytes
    serial: int
    switch: str = ""


@dataclass(slots=True)
class _Permit:
    """under_way: its SYNs that may not be out of a switch yet; at_ms: when the last one was;
    switches: where they came in."""

    serial: int
    container: int
    switches: set[str]
    under_way: int = 1
    at_ms: int = 0


class Admission:
    """One service's caps, counts and permits."""

    def __init__(self, connected: Collection[str] = ()) -> None:
        """connected: as in `heed`."""
        self._total: int | None = None
        self._connected = frozenset(connected)
        self._met: dict[str, int] = {}  # when the first SYN of each switch came
        self._guarded: dict[int, Guarded] = {}
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
        nobody can be connected to yet. Of the others counts are awaited: of every switch that has
        ever counted them.
        """
        self._total = total
        for number in self._guarded.keys() - caps.keys():
            self._forget(number)
        for number, cap in caps.items():
            known = self._guarded.get(number)
            if known is not None:
                known.cap = cap
                continue
            self._guarded[number] = Guarded(cap, now_ms, number in unused)

    def heed(self, connected: Collection[str]) -> None:
        """These switches are connected; no count of another is awaited for long: its last stands,
        for nobody is admitted there."""
        self._connected = frozenset(connected)

    def counted(self, container: int, connections: int, at_ms: int, switch: str = "") -> None:
        """The container had so many connections through a switch at a time. What is older than
        known is ignored."""
        known = self._guarded.get(container)
        if known is None or (known.is_new and not known.is_fresh(at_ms)):
            return
        before = known.counts.get(switch)
        if before is not None and at_ms < before.at_ms:
            return
        known.counts[switch] = Count(connections, at_ms)
        self._settle(container)

    def uncounted(self, container: int, switch: str) -> None:
        """The switch is gone for good, and what it counted with it."""
        known = self._guarded.get(container)
        if known is not None:
            known.counts.pop(switch, None)

    def admit(self, attempt: Attempt, slots: Sequence[int], now_ms: int) -> Verdict:
        """Whether a SYN may pass, and to which container; by slot, on to the next with room.

        Follow each ADMIT by `passed` when the SYN is out; until then the permit cannot settle.
        """
        before = self._pending.get(attempt.client)
        if before is not None:
            before.serial = attempt.serial
            before.under_way += 1
            before.switches.add(attempt.switch)
            return Verdict(Answer.ADMIT, before.container, again=True)
        settled = self._settled.get(attempt.client)
        if settled is not None and settled.serial == attempt.serial:
            return self._once_more(attempt, settled.container, now_ms)
        self._met.setdefault(attempt.switch, now_ms)
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
            self._room(container, "", 0) is Answer.REFUSE for container in containers
        )

    def _once_more(self, attempt: Attempt, container: int, now_ms: int) -> Verdict:
        """The same SYN after its permit settled: its connection may exist, or have been lost.

        No other container may take it. Without room it is not refused, for that would end a
        connection which is about to be answered.
        """
        if self._room(container, attempt.switch, now_ms) is Answer.ADMIT:
            return self._permitted(attempt, container, again=True)
        return Verdict(Answer.WAIT)

    def _first_with_room(self, attempt: Attempt, slots: Sequence[int], now_ms: int) -> Verdict:
        verdict = Verdict(Answer.REFUSE)
        for container in _walk(slots, zlib.crc32(attempt.client)):
            answer = self._room(container, attempt.switch, now_ms)
            if answer is Answer.ADMIT:
                return self._permitted(attempt, container, again=False)
            if answer is Answer.WAIT:
                verdict = Verdict(Answer.WAIT)
        return verdict

    def _room(self, container: int, switch: str, now_ms: int) -> Answer:
        """ADMIT where one more fits, REFUSE where not, WAIT where that will be known soon."""
        known = self._guarded.get(container)
        if known is None:
            return Answer.REFUSE
        own = _fits(self._taken(known, now_ms), known.cap)
        if self._total is not None:
            taken = [self._taken(each, now_ms) for each in self._guarded.values()]
            every = None if None in taken else sum(each or 0 for each in taken)
            own = _stricter(own, _fits(every, self._total))
        if own is Answer.ADMIT and not self._is_counted(known, switch):
            own = Answer.WAIT
        if own is Answer.WAIT and self._uncounted_since(switch, now_ms) + PATIENCE_MS < now_ms:
            return Answer.REFUSE
        return own

    def _taken(self, known: Guarded, now_ms: int) -> int | None:
        """Connections that a container has at most; None = not known."""
        if known.is_new:
            return known.taken
        is_awaited = any(self._is_awaited(switch, known, now_ms) for switch in known.counts)
        return None if is_awaited or not known.counts else known.taken

    def _is_awaited(self, switch: str, known: Guarded, now_ms: int) -> bool:
        """Whether a switch's count of a container is too old, and another is to come."""
        if known.is_fresh(known.counts[switch].at_ms):
            return False
        is_lost = switch and switch not in self._connected
        return not is_lost or now_ms <= known.since_ms + PATIENCE_MS

    def _is_counted(self, known: Guarded, switch: str) -> bool:
        """Whether a connection through a switch would be counted; of a new container it will be."""
        return known.is_new or not switch or switch in known.counts

    def _uncounted_since(self, switch: str, now_ms: int) -> int:
        """Since when a count that is missing is awaited, at most."""
        uncounted = [
            known.since_ms for known in self._guarded.values() if self._taken(known, now_ms) is None
        ]
        return min(uncounted, default=self._met.get(switch, now_ms))

    def _permitted(self, attempt: Attempt, container: int, *, again: bool) -> Verdict:
        self._settled.pop(attempt.client, None)
        self._pending[attempt.client] = _Permit(attempt.serial, container, {attempt.switch})
        self._guarded[container].pending += 1
        return Verdict(Answer.ADMIT, container, again)

    def _settle(self, container: int) -> None:
        """Permits whose connections the counts have are pending no more."""
        known = self._guarded[container]
        over = [
            client
            for client, permit in self._pending.items()
            if permit.container == container
            and not permit.under_way
            and permit.at_ms <= known.settled_ms(permit.switches)
        ]
        for client in over:
            self._settled[client] = self._pending.pop(client)
        known.pending -= len(over)
        latest = max(count.at_ms for count in known.counts.values())
        self._tidy(latest - SETTLE_MS - _REMEMBERED_MS)

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
