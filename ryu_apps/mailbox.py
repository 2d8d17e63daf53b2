"""One thread that does the work of an app, in the order it came in.

Everything that happens (a switch's message, a change in the database, a timer) is posted as a
function and run here, so that the state it works on needs no lock. An exception is logged with its
traceback and counted; the thread goes on: os-ken's own threads would end without a word.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import count

LOG = logging.getLogger(__name__)

Work = Callable[[], object]


class Mailbox:
    """`post` and `after` may be called from any thread. failures: exceptions so far."""

    def __init__(self, name: str) -> None:
        self.failures = 0
        self._queue: queue.SimpleQueue[tuple[float, Work] | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Work]] = []
        self._order = count()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def post(self, work: Work) -> None:
        """Run `work` soon."""
        self._queue.put((0.0, work))

    def after(self, seconds: float, work: Work) -> None:
        """Run `work` when the seconds have passed."""
        self._queue.put((time.monotonic() + seconds, work))

    def close(self) -> None:
        """Finish what was posted and end; timers still running are dropped."""
        self._queue.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                letter = self._queue.get(timeout=self._patience())
            except queue.Empty:
                letter = (0.0, self._due_timers)
            if letter is None:
                return
            self._take(*letter)
            self._due_timers()

    def _take(self, due: float, work: Work) -> None:
        if due:
            heapq.heappush(self._timers, (due, next(self._order), work))
            return
        try:
            work()
        except Exception:
            self.failures += 1
            LOG.exception("%s: work failed", self._thread.name)

    def _patience(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _due_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            self._take(0.0, heapq.heappop(self._timers)[2])


class Branch(Mailbox):
    """Posts into another mailbox until it is closed; what still waits then is dropped."""

    def __init__(self, trunk: Mailbox) -> None:
        self.failures = 0
        self._trunk = trunk
        self._is_closed = False

    def start(self) -> None:
        """The trunk does the work."""

    def post(self, work: Work) -> None:
        """Run `work` soon."""
        self._trunk.post(partial(self._unless_closed, work))

    def after(self, seconds: float, work: Work) -> None:
        """Run `work` when the seconds have passed."""
        self._trunk.after(seconds, partial(self._unless_closed, work))

    def close(self) -> None:
        """Do no more; to be called in the trunk's thread."""
        self._is_closed = True

    def _unless_closed(self, work: Work) -> None:
        if not self._is_closed:
            work()
