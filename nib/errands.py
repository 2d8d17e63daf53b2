"""Work for a thread that sleeps in poll(2), handed over from any thread.

Owns: the queue, the socket pair that wakes the sleeper, and the end of both.
Must not know: what the work is.

Under eventlet the same calls are cooperative ones.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ovs.poller

from nib.errors import NibUnavailable


class Errands:
    """`post` and `wake` may be called from any thread, the others from the one that works."""

    def __init__(self) -> None:
        self._gate = threading.Lock()  # guards _tasks and _ended, and the bell's life
        self._tasks: deque[Callable[[], object]] = deque()
        self._ended: NibUnavailable | None = None
        self._bell, self._bell_rope = socket.socketpair()
        self._is_rung = False
        for end in (self._bell, self._bell_rope):
            end.setblocking(False)

    def post(self, task: Callable[[], object]) -> None:
        """Have `task` run; raises what `end` was given when it has ended."""
        with self._gate:
            if self._ended is not None:
                raise self._ended
            self._tasks.append(task)
            self._ring()

    def wake(self) -> None:
        """Have the sleeper look around, unless it has ended."""
        with self._gate:
            if self._ended is None:
                self._ring()

    def run(self) -> None:
        """Do all there is."""
        while self._tasks:
            self._tasks.popleft()()

    def wait(self, poller: Any) -> None:
        """Have an `ovs.poller.Poller` wake up for what is posted."""
        poller.fd_wait(self._bell.fileno(), ovs.poller.POLLIN)
        if self._tasks:
            poller.immediate_wake()

    def hear(self) -> None:
        """Silence the bell, after a sleep."""
        with self._gate, suppress(BlockingIOError):  # nobody rang
            self._is_rung = False
            self._bell.recv(4096)

    def end(self, why: NibUnavailable) -> bool:
        """Take no more; False when it had ended before. What was taken is still to be run."""
        with self._gate:
            if self._ended is not None:
                return False
            self._ended = why
        self._bell.close()
        self._bell_rope.close()
        return True

    def _ring(self) -> None:
        """Once a sleep: a call of the system lets another thread have the interpreter, and it may
        be 5 ms until the caller has it back."""
        if self._is_rung:
            return
        self._is_rung = True
        with suppress(BlockingIOError):  # full: a wake-up is under way already
            self._bell_rope.send(b"\0")
