"""Whether this controller leads, and in which epoch: the shell around `ryu_apps.election`.

Owns a thread, the claims and beats it writes, and telling those who want to know. Several
controllers may run; all keep their connections to the switches, and one leads.

Must not know: switches, what a leader does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from nib.draft import Draft
from nib.errors import Conflict, NibUnavailable
from nib.leadership import Standing, beat, claim
from nib.records import Leader
from nib.watch import Batch
from ryu_apps.election import Beat, Candidate, Claim, GiveWay, Step
from ryu_apps.fenced import FencedNib
from ryu_apps.mailbox import Mailbox

LOG = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.25

Callback = Callable[[bool], object]


class Leadership:
    """leading, epoch: now, to be read from any thread; epoch is 0 while it does not lead.

    seen: the epoch that the database shows, whoever leads.
    """

    def __init__(self, nib: FencedNib, name: str) -> None:
        self.epoch = 0
        self.seen = 0
        self._nib = nib
        self._name = name
        self._mailbox = Mailbox("leadership")
        self._candidate = Candidate(name, time.monotonic())
        self._callbacks: list[Callback] = []
        self._beating = False
        self._losses = 0  # of the database; counted in the nib thread
        self._started = False

    @property
    def leading(self) -> bool:
        """Whether this controller leads."""
        return self.epoch != 0

    def subscribe(self, callback: Callback) -> None:
        """Have `callback(leading)` called in leadership's thread whenever it begins or ends.

        It must only post. Called at once where it leads already.
        """
        self._mailbox.post(lambda: self._add(callback))

    def start(self) -> None:
        """Stand for election."""
        self._started = True
        self._mailbox.start()
        self._nib.watch(self._heard_rows)
        self._nib.contend(self._heard_standing)
        self._mailbox.post(self._tick)

    def outranked(self, epoch: int) -> None:
        """A switch knows this epoch, and refuses ours; from any thread."""
        self._mailbox.post(lambda: self._carry(self._candidate.outranked(epoch, _now())))

    def close(self) -> None:
        """Stand no more. The lock goes with the database connection."""
        if self._started:
            self._mailbox.close()

    def _add(self, callback: Callback) -> None:
        self._callbacks.append(callback)
        if self.leading:
            callback(True)

    def _heard_standing(self, standing: Standing) -> None:
        self._losses += not standing.connected
        self._mailbox.post(lambda: self._stands(standing))

    def _heard_rows(self, batch: Batch) -> None:
        for change in batch.changes:
            if isinstance(change.record, Leader):
                row = change.new if isinstance(change.new, Leader) else None
                self._mailbox.post(partial(self._sees, row))

    def _sees(self, row: Leader | None) -> None:
        self.seen = row.epoch if row else 0
        self._carry(self._candidate.sees(row, _now()))

    def _stands(self, standing: Standing) -> None:
        self._carry(self._candidate.stands(standing, _now()))

    def _tick(self) -> None:
        self._carry(self._candidate.tick(_now()))
        self._mailbox.after(_TICK_SECONDS, self._tick)

    def _carry(self, steps: Iterable[Step]) -> None:
        """Tell what became of us, then do what is next."""
        self._tell()
        for step in steps:
            match step:
                case Claim(seen, epoch):
                    wanted = claim(self._name, seen, epoch)
                    self._write(self._while_connected(wanted), self._claimed)
                case Beat(epoch) if not self._beating:
                    self._beating = True
                    self._write(beat(self._name, epoch), self._beaten)
                case GiveWay():
                    with suppress(NibUnavailable):  # it ends
                        self._nib.give_way()

    def _while_connected(self, wanted: Callable[[Draft], int]) -> Callable[[Draft], int]:
        """Void once the database was away: a leader that could not be heard need not be dead."""
        losses = self._losses

        def change(draft: Draft) -> int:
            if self._losses != losses:
                raise Conflict("leader", "the database was away", "see whether the leader lives")
            return wanted(draft)

        return change

    def _write(self, change: Callable[[Any], Any], then: Callable[[Future[Any]], object]) -> None:
        future = self._nib.campaign(change)
        future.add_done_callback(lambda done: self._mailbox.post(lambda: then(done)))

    def _claimed(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            LOG.info("no claim of leadership: %s", error)
        epoch = None if error is not None else future.result().value
        self._carry(self._candidate.claimed(epoch, _now()))

    def _beaten(self, future: Future[Any]) -> None:
        self._beating = False
        if future.exception() is not None:
            LOG.warning("the database does not hear that this leads: %s", future.exception())

    def _tell(self) -> None:
        epoch = self._candidate.epoch
        if epoch == self.epoch:
            return
        if self.epoch:
            LOG.warning("%s leads no more; epoch %d is over", self._name, self.epoch)
            self._set(0)
        if epoch:
            LOG.info("%s leads, epoch %d", self._name, epoch)
            self._set(epoch)

    def _set(self, epoch: int) -> None:
        self.epoch = self._nib.epoch = epoch
        for callback in self._callbacks:
            try:
                callback(bool(epoch))
            except Exception:  # a defect of one must not keep it from the others
                LOG.exception("a listener to leadership failed")


def _now() -> float:
    return time.monotonic()
