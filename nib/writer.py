"""Queued changes become transactions, as many as possible in each.

Owns: the write queue, the one transaction under way, and what every outcome means for the futures.
Must not know: threads, sockets, watchers. Time is an argument. All of it runs in the nib thread,
except `submit`.

A group is one transaction. Refused by the server, its changes run one by one, so that a bad change
fails alone. Overtaken by another process (a verified column changed), the group runs again on the
refreshed replica. An outcome is told only once it cannot change any more.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ovs.db.idl

from nib.draft import Draft
from nib.errors import NibUnavailable
from nib.mirror import Mirror
from nib.records import Container, Service
from nib.replica import Replica
from nib.transaction import filled_transaction, refusal

LOG = logging.getLogger(__name__)

T = TypeVar("T")

MAX_GROUP = 256
MAX_REFUSALS = 3  # how often a refusal is doubted because the replica changed meanwhile

UNKNOWN = "; the change may or may not have been made"


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a change function returned, and intent's generation in force after its commit."""

    value: T
    generation: int


@dataclass(eq=False, slots=True)
class Job:
    """One change function waiting for its turn until `deadline` (monotonic seconds)."""

    change: Callable[[Draft], Any]
    future: Future[Committed[Any]]
    deadline: float
    begun: bool = False
    refusals: int = 0

    def begin(self) -> bool:
        """False when the caller cancelled the future before the first run."""
        if not self.begun:
            self.begun = True
            return self.future.set_running_or_notify_cancel()
        return True

    def fail(self, error: Exception) -> None:
        """End with an error."""
        if self.begin():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: Job
    value: Any
    error: Exception | None

    def tell(self, generation: int) -> None:
        if self.error is None:
            self.job.future.set_result(Committed(self.value, generation))
        else:
            self.job.fail(self.error)


@dataclass(frozen=True, slots=True)
class _Flight:
    """A transaction sent to the server."""

    txn: Any
    outcomes: tuple[_Outcome, ...]
    generation: int | None  # None = intent unchanged
    session_seqno: int
    change_seqno: int
    deadline: float


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
        self._flight: _Flight | None = None
        self._overtaken_at: int | None = None

    def submit(self, job: Job) -> None:
        """Queue a change; callable from any thread."""
        self._queue.append(job)

    def step(self, now: float) -> None:
        """Do all that can be done now: end the flight, expire, take off again."""
        if self._flight is not None:
            self._end_flight(self._flight, now)
        self._expire(now)
        while self._may_start():
            self._start(now)

    def next_deadline(self) -> float | None:
        """When `step` has something to do though nothing arrives; None = never."""
        deadlines = [queue[0].deadline for queue in (self._singles, self._queue) if queue]
        if self._flight is not None:
            deadlines.append(self._flight.deadline)
        return min(deadlines, default=None)

    def dismiss(self, error: Exception) -> None:
        """Fail everything queued or under way: the replica ends."""
        if self._flight is not None:
            self._fail_flight(self._flight, str(getattr(error, "why", error)))
        for queue in (self._singles, self._queue):
            while queue:
                queue.popleft().fail(error)

    def _may_start(self) -> bool:
        if self._flight is not None or not (self._singles or self._queue):
            return False
        if self._overtaken_at == self._replica.change_seqno:
            return False
        return self._replica.loaded

    def _start(self, now: float) -> None:
        jobs = self._next_group()
        with self._lock:
            draft = Draft(self._mirror)
            try:
                outcomes = tuple(_outcome_of(job, draft) for job in jobs if job.begin())
                changes = draft.net_changes()
            finally:
                draft.roll_back(0)
        if not changes:
            for outcome in outcomes:
                outcome.tell(self._mirror.generation)
            return
        intent = any(change.kind in (Service, Container) for change in changes)
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
        self._overtaken_at = None
        self._flight = _Flight(
            txn=txn,
            outcomes=outcomes,
            generation=self._mirror.generation + 1 if intent else None,
            session_seqno=self._replica.session_seqno,
            change_seqno=change_seqno,
            deadline=now + self._answer_timeout_s,
        )

    def _next_group(self) -> list[Job]:
        if self._singles:
            return [self._singles.popleft()]
        return [self._queue.popleft() for _ in range(min(len(self._queue), MAX_GROUP))]

    def _end_flight(self, flight: _Flight, now: float) -> None:
        status = flight.txn.commit()
        txn = ovs.db.idl.Transaction
        same_session = self._replica.session_seqno == flight.session_seqno
        if status in (txn.SUCCESS, txn.UNCHANGED):
            self._flight = None
            generation = flight.generation
            for outcome in flight.outcomes:
                outcome.tell(self._mirror.generation if generation is None else generation)
        elif status == txn.ERROR:
            self._flight = None
            self._refused(flight)
        elif not same_session:
            self._fail_flight(flight, "the connection was lost during a commit")
        elif status == txn.TRY_AGAIN:
            self._flight = None
            self._overtaken_at = flight.change_seqno
            self._requeue(flight)
        elif now >= flight.deadline:
            self._fail_flight(flight, "a commit was not answered in time")
            self._replica.force_reconnect()

    def _refused(self, flight: _Flight) -> None:
        if len(flight.outcomes) > 1:
            self._singles.extend(outcome.job for outcome in flight.outcomes)
            return
        job = flight.outcomes[0].job
        job.refusals += 1
        if self._replica.change_seqno != flight.change_seqno and job.refusals < MAX_REFUSALS:
            self._singles.appendleft(job)
        else:
            job.fail(refusal(self._remote, flight.txn.get_error()))

    def _requeue(self, flight: _Flight) -> None:
        jobs = [outcome.job for outcome in flight.outcomes]
        (self._singles if len(jobs) == 1 else self._queue).extendleft(reversed(jobs))

    def _fail_flight(self, flight: _Flight, why: str) -> None:
        self._flight = None
        for outcome in flight.outcomes:
            error = outcome.error or NibUnavailable(self._remote, why + UNKNOWN)
            outcome.job.fail(error)

    def _expire(self, now: float) -> None:
        why = "overtaken by other writers" if self._replica.loaded else "not connected"
        for queue in (self._singles, self._queue):
            while queue and queue[0].deadline <= now and not self._may_try(queue[0]):
                error = NibUnavailable(self._remote, f"{why} until the time was up; not written")
                queue.popleft().fail(error)

    def _may_try(self, job: Job) -> bool:
        """Late though it is, a change that waited only for its turn gets one."""
        return self._replica.loaded and not job.begun


def _outcome_of(job: Job, draft: Draft) -> _Outcome:
    mark = draft.mark
    try:
        return _Outcome(job, job.change(draft), None)
    except Exception as error:
        draft.roll_back(mark)
        return _Outcome(job, None, error)
