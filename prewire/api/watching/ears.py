"""Rows that change, from the database's thread to the event loop.

Must not know: what rows say, who wants to know.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from nib.database import Nib
from nib.mirror import RowChange
from nib.watch import Batch, Watch


class Ears:
    """Hears rows in the database's thread, and hands them to the event loop.

    are_open: from the database's first word on; what is made after that misses no change.
    """

    def __init__(self, nib: Nib) -> None:
        self.are_open = False
        self._nib = nib
        self._watch: Watch | None = None
        self._gate = threading.Lock()
        self._heard: list[RowChange] = []
        self._stirred = asyncio.Event()

    def open(self) -> None:
        """Begin to hear. NibUnavailable."""
        if self._watch is None:
            loop = asyncio.get_running_loop()
            is_first = True

            def told(batch: Batch) -> None:
                nonlocal is_first
                if is_first:  # everything there is; nothing was made of it yet
                    is_first = False
                    self.are_open = True
                else:
                    with self._gate:
                        self._heard += batch.changes
                with suppress(RuntimeError):  # the loop is over
                    loop.call_soon_threadsafe(self._stirred.set)

            self._watch = self._nib.watch(told)

    def close(self) -> None:
        """Hear no more."""
        if self._watch is not None:
            self._watch.close()
        self._watch, self.are_open = None, False
        self.take()

    def stir(self) -> None:
        """Have `wait` return."""
        self._stirred.set()

    def take(self) -> list[RowChange]:
        """What was heard since the last call."""
        with self._gate:
            heard, self._heard = self._heard, []
        return heard

    async def wait(self, until_s: float) -> None:
        """Return when something was heard, or at a time (monotonic seconds)."""
        with suppress(TimeoutError):  # wait_for of Python 3.11 may swallow a cancellation
            async with asyncio.timeout(max(0.0, until_s - time.monotonic())):
                await self._stirred.wait()
        self._stirred.clear()
