"""Queued changes become transactions, as many as possible in each.

Owns: the write queue, the one transaction under way, and what every outcome means for the futures.
Must not know: threads, sockets, watchers. Time is an argument. All of it runs in the nib thread,
except `submit`.

A group is one transaction. After one of several changes the next waits a little, so that a crowd of
writers shares transactions; whoever writes alone never waits (decision 36).

Refused by the server, a group's changes run one by one, so that a bad change fails alone. Overtaken
by another process (a verified column changed), the group runs again on the refreshed replica. An
outcome is told only once it cannot change any more.

Where the connection is lost before the answer, the group is *in doubt*. On the next connection it
is looked for: if the database is as the transaction made it, it had arrived. Otherwise the group
runs again, on what is there. That is safe while the lost transaction is still on its way somewhere:
both verify the same rows and insert the same keys, so the database takes one of them.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import ovs.db.idl

from nib.draft import Draft
from nib.errors import NibUnavailable
from nib.flight import Flight, Job, arrived_of
from nib.mirror import Mirror
from nib.replica import Replica
from nib.transaction import filled_transaction, refusal

LOG = logging.getLogger(__name__)

MAX_GROUP = 256
MAX_DOUBTS = 8  # transactions of one group that are looked for, the last ones
MAX_REFUSALS = 3  # how often a refusal is doubted because the replica changed meanwhile

CROWD: Final = 4  # changes in one group: more will come, and may share the next
GATHER_S: Final = 0.02  # from the start of such a group to that of the next

UNKNOWN = "; the change may or may not have been made"


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Jobs to run again, unless one of these transactions, the last one first, arrived."""

    jobs: tuple[Job, ...]
    flights: tuple[Flight, ...]


class Writer:
    """The write side of one replica. `transactions` counts those sent."""

    def __init__(
        self,
        replica: Replica,
        mirror: Mirror,
        lock: AbstractContextManager[object],
        remote: str,
        answer_timeout_s: float,
    ) -> None:
        self.transactions = 0
        self._replica = replica
        self._mirror = mirror
        self._lock = lock
        self._remote = remote
        self._answer_timeout_s = answer_timeout_s
        self._queue: deque[Job] = deque()
        self._singles: deque[Job] = deque()
        self._flight: Flight | None = None
        self._doubt: _Doubt | None = None
        self._overtaken_at: int | None = None
        self._gathers_until: float | None = None

    def submit(self, job: Job) -> None:
        """Queue a change; callable from any thread."""
        self._queue.append(job)

    def step(self, now: float) -> None:
        """Do all that can be done now: end the flight, expire, take off again."""
        if self._flight is not None:
            self._end_flight(self._flight, now)
        if self._gathers_until is not None and self._gathers_until <= now:
            self._gathers_until = None
        self._expire(now)
        while self._may_start():
            self._start(now)

    def next_deadline(self) -> float | None:
        """When `step` has something to do though nothing arrives; None = never."""
        deadlines = [queue[0].deadline for queue in (self._singles, self._queue) if queue]
        if self._flight is not None:
            deadlines.append(self._flight.deadline)
        if self._doubt is not None:
            deadlines += [job.deadline for job in self._doubt.jobs]
        if self._gathers_until is not None:
            deadlines.append(self._gathers_until)
        return min(deadlines, default=None)

    def dismiss(self, error: Exception) -> None:
        """Fail everything queued or under way: the replica ends."""
        why = str(getattr(error, "why", error))
        if self._flight is not None:
            self._fail_flight(self._flight, why)
        if self._doubt is not None:
            self._fail(self._doubt.jobs, why + UNKNOWN)
            self._doubt = None
        for queue in (self._singles, self._queue):
            while queue:
                queue.popleft().fail(error)

    def _may_start(self) -> bool:
        is_next = bool(self._queue) and self._gathers_until is None
        if self._flight is not None or not (self._doubt or self._singles or is_next):
            return False
        if self._overtaken_at == self._replica.change_seqno:
            return False
        return self._replica.loaded

    def _start(self, now: float) -> None:
        doubt, self._doubt = self._doubt, None
        if doubt is None:
            self._send(self._next_group(), (), now)
            return
        arrived = arrived_of(doubt.flights, self._mirror)
        if arrived is None:
            self._send(doubt.jobs, doubt.flights, now)
        else:
            arrived.tell(self._mirror.generation)

    def _send(self, jobs: tuple[Job, ...], doubts: tuple[Flight, ...], now: float) -> None:
        with self._lock:
            draft = Draft(self._mirror)
            try:
                outcomes = tuple(job.run(draft) for job in jobs if job.begin())
                changes = draft.net_changes()
            finally:
                draft.roll_back(0)
        if not changes:
            for outcome in outcomes:
                outcome.tell(self._mirror.generation)
            return
        intent = any(change.is_intent for change in changes)
        change_seqno = self._replica.change_seqno
        try:
            txn = filled_transaction(self._replica, changes)
        except Exception as error:
            LOG.exception("a transaction of %d changes could not be made", len(changes))
            for outcome in outcomes:
                outcome.job.fail(error)
            return
        txn.commit()
        self.transactions += 1
        if len(jobs) >= CROWD:
            self._gathers_until = now + GATHER_S
        self._overtaken_at = None
        self._flight = Flight(
            txn=txn,
            outcomes=outcomes,
            changes=changes,
            generation=self._mirror.generation + 1 if intent else None,
            session_seqno=self._replica.session_seqno,
            change_seqno=change_seqno,
            deadline=now + self._answer_timeout_s,
            doubts=doubts,
        )

    def _next_group(self) -> tuple[Job, ...]:
        if self._singles:
            return (self._singles.popleft(),)
        return tuple(self._queue.popleft() for _ in range(min(len(self._queue), MAX_GROUP)))

    def _end_flight(self, flight: Flight, now: float) -> None:
        status = flight.txn.commit()
        txn = ovs.db.idl.Transaction
        if status in (txn.SUCCESS, txn.UNCHANGED):
            self._flight = None
            flight.tell(self._mirror.generation)
        elif status == txn.ERROR:
            self._flight = None
            self._refused(flight)
        elif self._replica.session_seqno != flight.session_seqno:
            self._flight = None
            self._doubt = _Doubt(tuple(flight.jobs), _with(flight))
        elif status == txn.TRY_AGAIN:
            self._flight = None
            self._overtaken(flight)
        elif now >= flight.deadline:
            self._fail_flight(flight, "a commit was not answered in time")
            self._replica.force_reconnect()

    def _refused(self, flight: Flight) -> None:
        arrived = arrived_of(self._suspects(flight), self._mirror)
        if arrived is not None:
            arrived.tell(self._mirror.generation)
            return
        if len(flight.outcomes) > 1:
            self._singles.extend(flight.jobs)
            return
        job = flight.outcomes[0].job
        job.refusals += 1
        if self._replica.change_seqno != flight.change_seqno and job.refusals < MAX_REFUSALS:
            self._singles.appendleft(job)
        else:
            job.fail(refusal(self._remote, flight.txn.get_error()))

    def _overtaken(self, flight: Flight) -> None:
        self._overtaken_at = flight.change_seqno
        suspects = self._suspects(flight)
        if suspects:
            self._doubt = _Doubt(tuple(flight.jobs), suspects)
        else:
            queue = self._singles if len(flight.outcomes) == 1 else self._queue
            queue.extendleft(reversed(flight.jobs))

    def _suspects(self, flight: Flight) -> tuple[Flight, ...]:
        """Transactions that may have arrived though the last one of them was refused.

        A cluster's server that stops being the leader tries a transaction again by itself, on its
        successor, and may so be refused by what it has done.
        """
        return _with(flight) if self._replica.is_clustered else flight.doubts

    def _fail_flight(self, flight: Flight, why: str) -> None:
        self._flight = None
        for outcome in flight.outcomes:
            error = outcome.error or NibUnavailable(self._remote, why + UNKNOWN)
            outcome.job.fail(error)

    def _fail(self, jobs: tuple[Job, ...], why: str) -> None:
        for job in jobs:
            job.fail(NibUnavailable(self._remote, why))

    def _expire(self, now: float) -> None:
        self._expire_doubt(now)
        why = "overtaken by other writers" if self._replica.loaded else "not connected"
        for queue in (self._singles, self._queue):
            while queue and queue[0].deadline <= now and not self._may_try(queue[0]):
                error = NibUnavailable(self._remote, f"{why} until the time was up; not written")
                queue.popleft().fail(error)

    def _expire_doubt(self, now: float) -> None:
        if self._doubt is None:
            return
        late = tuple(job for job in self._doubt.jobs if job.deadline <= now)
        left = tuple(job for job in self._doubt.jobs if job.deadline > now)
        self._fail(late, f"the connection was lost during a commit{UNKNOWN}")
        self._doubt = _Doubt(left, self._doubt.flights) if left else None

    def _may_try(self, job: Job) -> bool:
        """Late though it is, a change that waited only for its turn gets one."""
        return self._replica.loaded and not job.begun


def _with(flight: Flight) -> tuple[Flight, ...]:
    """This transaction and the earlier ones of its jobs."""
    return (flight, *flight.doubts)[:MAX_DOUBTS]
