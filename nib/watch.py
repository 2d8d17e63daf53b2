"""Who wants to hear of changes.

Owns: the list of watchers and of predicates waited for, and calling them without letting one of
them stop the others.
Must not know: OVSDB, transactions, or its thread. Everything here runs in the nib thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from nib.mirror import Mirror, RowChange
from nib.records import RECORD_CLASSES

LOG = logging.getLogger(__name__)

Predicate: TypeAlias = Callable[[Mirror], bool]


@dataclass(frozen=True, slots=True)
class Batch:
    """What changed since the batch before, at most one change a row.

    Inserted and modified rows come first, a service before its containers; deleted rows last, a
    container before its service. `generation` is intent's generation after the batch.
    """

    generation: int
    changes: tuple[RowChange, ...]


BatchCallback: TypeAlias = Callable[[Batch], object]


def snapshot(mirror: Mirror) -> Batch:
    """Everything there, as one batch of insertions."""
    rows = (record for kind in RECORD_CLASSES for record in mirror.all(kind))
    return Batch(mirror.generation, tuple(RowChange(None, record) for record in rows))


@dataclass(eq=False, slots=True)
class Watch:
    """A registered callback. `close()` ends it from any thread; a call under way may finish."""

    callback: BatchCallback
    closed: bool = field(default=False, init=False)

    def close(self) -> None:
        """Hear no more."""
        self.closed = True


@dataclass(eq=False, slots=True)
class _Waiter:
    predicate: Predicate
    future: Future[None]


class Audience:
    """All watchers and waiters of one replica. `failures` counts callbacks that raised."""

    def __init__(self) -> None:
        self.failures = 0
        self._watches: list[Watch] = []
        self._waiters: list[_Waiter] = []

    def add_watch(self, watch: Watch, first: Batch | None) -> None:
        """Register; `first` (None = nothing known yet) is delivered at once."""
        if watch.closed:
            return
        self._watches.append(watch)
        if first is not None:
            self._deliver(watch, first)

    def add_waiter(self, predicate: Predicate, future: Future[None], mirror: Mirror) -> None:
        """Register, and resolve `future` at once when the predicate holds already."""
        waiter = _Waiter(predicate, future)
        if not self._settled(waiter, mirror):
            self._waiters.append(waiter)

    def publish(self, batch: Batch, mirror: Mirror) -> None:
        """Tell every watcher, then check every predicate."""
        self._watches = [watch for watch in self._watches if not watch.closed]
        for watch in tuple(self._watches):
            self._deliver(watch, batch)
        self.check(mirror)

    def check(self, mirror: Mirror) -> None:
        """Resolve the futures whose predicate holds; forget the cancelled ones."""
        waiters, self._waiters = self._waiters, []
        self._waiters += [waiter for waiter in waiters if not self._settled(waiter, mirror)]

    def forget_cancelled(self) -> None:
        """Drop the waiters whose future was cancelled."""
        self._waiters = [waiter for waiter in self._waiters if not waiter.future.cancelled()]

    @property
    def waiting(self) -> int:
        """How many predicates are waited for."""
        return len(self._waiters)

    def dismiss(self, error: Exception) -> None:
        """Fail every future still waiting: the replica ends."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.future.set_running_or_notify_cancel():
                waiter.future.set_exception(error)

    def _deliver(self, watch: Watch, batch: Batch) -> None:
        """Call back; a callback that fails is logged and counted, and the others go on."""
        if watch.closed:
            return
        try:
            watch.callback(batch)
        except Exception:
            self.failures += 1
            LOG.exception("a watch callback failed on a batch of %d changes", len(batch.changes))

    def _settled(self, waiter: _Waiter, mirror: Mirror) -> bool:
        if waiter.future.cancelled():
            return True
        try:
            holds = waiter.predicate(mirror)
        except Exception as error:
            if waiter.future.set_running_or_notify_cancel():
                waiter.future.set_exception(error)
            return True
        if holds and waiter.future.set_running_or_notify_cancel():
            waiter.future.set_result(None)
        return holds
