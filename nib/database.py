"""The state database as the rest of prewire uses it.

Owns: the nib thread, which alone touches the IDL, and the doors into it: view, write, watch, when.
Must not know: what any record means.

The thread sleeps in poll(2) on the database's socket and on the bell of its errands.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import ovs.poller

from nib import json_stream
from nib.access import Token
from nib.draft import Draft
from nib.errands import Errands
from nib.errors import Conflict, NibUnavailable
from nib.flight import Committed, Job
from nib.handshake import check_remote
from nib.leadership import Contest, Standing
from nib.mirror import Mirror
from nib.polling import use_poll
from nib.records import Global, Record
from nib.replica import Replica, split_remotes
from nib.watch import Audience, Batch, BatchCallback, Predicate, Watch, snapshot
from nib.writer import Writer

LOG = logging.getLogger(__name__)

T = TypeVar("T")

WRITE_SECONDS: Final = 5.0
CLUSTER_WRITE_SECONDS: Final = 8.0  # a cluster without a leader has one again within four, mostly


class Nib:
    """One connection to the database at `remote`, as in `unix:/run/prewire/nib.sock` or
    `tcp:10.0.0.1:6640,tcp:10.0.0.2:6640`; `name` tells connections apart in logs.

    write_timeout_s: how long a change may wait; by default long enough for a cluster's failover.
    sees_tokens: whether tokens are replicated; who does not check them has no use for them.
    without: what else this process has no use for, and never writes; it is not told of it.

    Use as a context manager, or call `start` and `close`. Every method may be called from any
    thread.
    """

    def __init__(
        self,
        remote: str,
        name: str,
        *,
        write_timeout_s: float | None = None,
        sees_tokens: bool = False,
        without: Collection[type[Record]] = (),
    ) -> None:
        several = len(split_remotes(remote)) > 1
        self.remote = remote
        self.name = name
        self._without = (*without, *(() if sees_tokens else (Token,)))
        self._write_timeout_s = write_timeout_s or (
            CLUSTER_WRITE_SECONDS if several else WRITE_SECONDS
        )
        self._lock = threading.RLock()
        self._mirror = Mirror()
        self._audience = Audience()
        self._errands = Errands()
        self._replica: Replica | None = None
        self._writer: Writer | None = None
        self._contest: Contest | None = None
        self._thread: threading.Thread | None = None
        self._loaded = threading.Event()
        self._connected = False
        self._closing = False

    def start(self, timeout_s: float = 10.0) -> None:
        """Connect and load.

        Raises NibUnavailable when the server does not answer within `timeout_s`, SchemaMismatch
        when it has no Prewire database or one of an unsuitable version.
        """
        deadline = time.monotonic() + timeout_s
        use_poll()
        json_stream.install()
        try:
            answering = check_remote(self.remote, timeout_s)
            self._start_thread(answering)
            if not self._loaded.wait(max(0.0, deadline - time.monotonic())):
                raise NibUnavailable(self.remote, f"not loaded within {timeout_s} s")
            self._found(deadline)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; whatever is still waiting fails with NibUnavailable."""
        self._closing = True
        thread = self._thread
        if thread is None:
            self._end(NibUnavailable(self.remote, "closed"))
            return
        self._errands.wake()
        if thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Nib:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether the replica is connected and complete right now."""
        return self._connected

    @property
    def callback_failures(self) -> int:
        """How many times a watch callback raised."""
        return self._audience.failures

    @property
    def waiting(self) -> int:
        """How many `when` predicates are waited for."""
        return self._audience.waiting

    @property
    def transactions(self) -> int:
        """How many transactions were sent."""
        return 0 if self._writer is None else self._writer.transactions

    @contextmanager
    def view(self) -> Iterator[Mirror]:
        """The replica, standing still as long as the block lasts: keep it short and read only."""
        with self._lock:
            yield self._mirror

    def write(self, change: Callable[[Draft], T]) -> Future[Committed[T]]:
        """Run `change` on a draft in the nib thread and commit what it put and deleted.

        It may run more than once (another process was faster), so it must have no other effect, and
        it must not block. The future holds what it returned or raised; Conflict when the database
        refuses it; NibUnavailable when it could not be sent within `write_timeout_s`, or when the
        connection was lost before the answer and did not come back in that time: then the outcome
        is unknown, and the text says so.
        """
        future: Future[Committed[T]] = Future()
        job = Job(change, future, deadline=time.monotonic() + self._write_timeout_s)
        try:
            writer = self._live_writer()
            self._errands.post(lambda: writer.submit(job))
        except NibUnavailable as error:
            future.set_exception(error)
        return future

    def watch(self, callback: BatchCallback) -> Watch:
        """Call `callback(batch)` in the nib thread: first with everything there, then each change.

        An exception is logged and counted in `callback_failures`. End it with `close()`.
        Raises NibUnavailable after the end of the connection.
        """
        watch = Watch(callback)
        self._errands.post(lambda: self._audience.add_watch(watch, self._first_batch()))
        return watch

    def when(self, predicate: Predicate) -> Future[None]:
        """A future resolved in the nib thread as soon as `predicate(mirror)` holds.

        It is checked at once, after every batch of changes and after a reconnection (so it may ask
        for `connected` too), and should be cheap. Cancelling
        the future ends that; what the predicate raises goes to the future.
        """
        future: Future[None] = Future()
        try:
            self._errands.post(lambda: self._audience.add_waiter(predicate, future, self._mirror))
        except NibUnavailable as error:
            future.set_exception(error)
        else:
            future.add_done_callback(self._forget_cancelled)
        return future

    def contend(self, callback: Callable[[Standing], object]) -> None:
        """Wait for the leader's lock; tell `callback`, in the nib thread, how it stands with it.

        Rows that changed before are told to watchers before. NibUnavailable when it has ended.
        """
        self._errands.post(lambda: self._begin_contest(callback))

    def give_way(self) -> None:
        """Let another contender have the lock; NibUnavailable when it has ended."""
        self._errands.post(self._give_way)

    def _found(self, deadline: float) -> None:
        """See that the Global row is there; another process may be making it too."""
        there = self.when(lambda mirror: mirror.count(Global) == 1)
        try:
            with suppress(Conflict):
                self.write(Draft.found).result(max(0.0, deadline - time.monotonic()))
            there.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise NibUnavailable(self.remote, "the Global row could not be made in time") from None

    def _forget_cancelled(self, future: Future[None]) -> None:
        if future.cancelled():
            with suppress(NibUnavailable):  # ended: nothing is remembered any more
                self._errands.post(self._audience.forget_cancelled)

    def _first_batch(self) -> Batch | None:
        return snapshot(self._mirror) if self._loaded.is_set() else None

    def _live_writer(self) -> Writer:
        if self._writer is None:
            raise NibUnavailable(self.remote, "not started")
        return self._writer

    def _begin_contest(self, callback: Callable[[Standing], object]) -> None:
        if self._replica is not None:
            self._contest = Contest(self._replica, callback)

    def _give_way(self) -> None:
        if self._contest is not None:
            self._contest.give_way()

    def _start_thread(self, first: str) -> None:
        self._replica = Replica(self.remote, first, self._without)
        self._writer = Writer(
            self._replica, self._mirror, self._lock, self.remote, self._write_timeout_s
        )
        self._thread = threading.Thread(
            target=self._run,
            args=(self._replica, self._writer),
            name=f"nib-{self.name}",
            daemon=True,
        )
        self._thread.start()

    def _run(self, replica: Replica, writer: Writer) -> None:
        why = NibUnavailable(self.remote, "closed")
        try:
            while not self._closing:
                replica.run()
                self._absorb(replica)
                if self._contest is not None:
                    self._contest.look()
                self._errands.run()
                writer.step(time.monotonic())
                self._sleep(replica, writer)
        except Exception as error:
            LOG.exception("the nib thread of %s failed", self.name)
            why = NibUnavailable(self.remote, f"the nib thread failed: {error!r}")
        finally:
            self._connected = False
            replica.close()
            self._end(why)

    def _absorb(self, replica: Replica) -> None:
        """Bring the mirror up to date and tell those who listen."""
        changes = replica.take_changes()
        returned = replica.loaded and not self._connected
        self._connected = replica.loaded
        with self._lock:
            for change in changes:
                self._mirror.apply(change)
        first = self._connected and not self._loaded.is_set()
        if first:
            self._loaded.set()
        if changes or first:
            self._audience.publish(Batch(self._mirror.generation, changes), self._mirror)
        elif returned:
            self._audience.check(self._mirror)

    def _sleep(self, replica: Replica, writer: Writer) -> None:
        poller = ovs.poller.Poller()
        replica.wait(poller)
        self._errands.wait(poller)
        deadline = writer.next_deadline()
        if deadline is not None:
            poller.timer_wait(max(1, int(1000 * (deadline - time.monotonic())) + 1))
        if self._closing:
            poller.immediate_wake()
        poller.block()
        self._errands.hear()

    def _end(self, why: NibUnavailable) -> None:
        """Take no more work, and fail what was taken."""
        if not self._errands.end(why):
            return
        self._errands.run()
        if self._writer is not None:
            self._writer.dismiss(why)
        self._audience.dismiss(why)
