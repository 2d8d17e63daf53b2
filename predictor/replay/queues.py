"""The requests of one service while some of them wait: event by event.

Must not know: policies, other services.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(slots=True)
class Done:
    """What happened in a step. busy_s: request-seconds in the system; peak: the most requests at
    once; last: requests at the end; started_cost_s: container-seconds of what was started."""

    queued: int = 0
    waited_s: float = 0.0
    busy_s: float = 0.0
    peak: int = 0
    last: int = 0
    started_cost_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Staff:
    """Containers when a step begins. starting: sorted times of readiness, the caller's; requests
    add to it: each that finds too few (on_demand), or one that finds none at all."""

    ready: int
    starting: list[float]
    concurrency: int
    lead_s: float
    on_demand: bool


class Queue:
    """ends: a heap of when those that are worked at will be done; waiting: arrival and duration."""

    def __init__(self, ends: list[float], waiting: deque[tuple[float, float]]) -> None:
        self._ends = ends
        self._waiting = waiting
        self._disturbed_until = 0.0
        self._clock = 0.0
        self._slots = 0

    @property
    def working(self) -> int:
        """How many requests are worked at."""
        return len(self._ends)

    def is_quiet(self, now: float) -> bool:
        """Nobody waits, and everybody who did is gone: as if nobody ever had."""
        return not self._waiting and self._disturbed_until <= now

    def work(
        self, load: tuple[list[float], list[float]], begin: float, end: float, staff: Staff
    ) -> Done:
        """One step: the requests of it by arrival and duration; what gets ready within the step
        serves from then on."""
        done = Done()
        ready, starting, concurrency = staff.ready, staff.starting, staff.concurrency
        self._clock, self._slots = begin, ready * concurrency
        coming = deque(at for at in starting if at < end)
        self._serve(done)
        done.peak = len(self._ends) + len(self._waiting)
        for at, duration in zip(*load, strict=True):
            self._advance(at, coming, concurrency, done)
            if not self._waiting and len(self._ends) < self._slots:
                heappush(self._ends, at + duration)
            else:
                done.queued += 1
                self._waiting.append((at, duration))
                unready = ready + len(starting) - self._slots // concurrency
                short = len(self._waiting) > unready * concurrency
                if short and (staff.on_demand or ready + len(starting) == 0):
                    starting.append(at + staff.lead_s)
                    done.started_cost_s += end - at
                    if at + staff.lead_s < end:
                        coming.append(at + staff.lead_s)
            done.peak = max(done.peak, len(self._ends) + len(self._waiting))
        self._advance(end, coming, concurrency, done)
        done.last = len(self._ends) + len(self._waiting)
        return done

    def _advance(self, to: float, coming: deque[float], concurrency: int, done: Done) -> None:
        """Requests end, containers get ready, those that wait begin."""
        ends = self._ends
        while True:
            at = ends[0] if ends else to
            if coming and coming[0] < at:
                at = coming[0]
            if at >= to and not (ends and ends[0] <= to):
                break
            self._count(at, done)
            if coming and coming[0] <= at:
                coming.popleft()
                self._slots += concurrency
            else:
                heappop(ends)
            self._serve(done)
        self._count(to, done)

    def _count(self, to: float, done: Done) -> None:
        done.busy_s += (len(self._ends) + len(self._waiting)) * (to - self._clock)
        self._clock = to

    def _serve(self, done: Done) -> None:
        """Those that wait begin, the first first, as far as slots are free."""
        while self._waiting and len(self._ends) < self._slots:
            at, duration = self._waiting.popleft()
            done.waited_s += self._clock - at
            heappush(self._ends, self._clock + duration)
            self._disturbed_until = max(self._disturbed_until, self._clock + duration)
