"""The streams of one server: waking them, counting them, ending those that are not read.

Must not know: what streams carry.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc

from predictor.outward.refusals import Refused

LOG = logging.getLogger(__name__)


class Pulse:
    """Wakes who waits in this event loop; `beat` may be called from any thread, and often."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Future[None] = self._loop.create_future()
        self._due = False

    def beat(self) -> None:
        """Wake them all, once for beats that come close together."""
        if not self._due:
            self._due = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake)

    def next(self) -> asyncio.Future[None]:
        """Done with the next beat. Take it before looking, so that no change is missed."""
        return asyncio.shield(self._next)

    def _wake(self) -> None:
        self._due = False
        done, self._next = self._next, self._loop.create_future()
        done.set_result(None)


@dataclass(slots=True)
class Counts:
    """Of streams: how many there are, how many were ended for not reading, and events told."""

    subscribers: int = 0
    dropped: int = 0
    sent: int = 0


@dataclass(slots=True)
class Streams:
    """The streams of one server. stall_s: how long a subscriber may take to read one event."""

    pulse: Pulse
    stall_s: float
    most: int
    counts: Counts = field(default_factory=Counts)

    async def write(self, context: Any, event: Any) -> None:
        """Tell one event; Refused where the subscriber does not read."""
        try:
            async with asyncio.timeout(self.stall_s):
                await context.write(event)
        except TimeoutError:
            self.counts.dropped += 1
            LOG.warning("%s does not read its stream; ended", context.peer())
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"nothing was read for {self.stall_s:g} s",
                "read faster; call again with the last resume_token",
            ) from None
        self.counts.sent += 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """A subscriber's place while the block lasts; Refused where there are too many."""
        if self.counts.subscribers >= self.most:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"there are {self.most} subscribers",
                "ask another predictor, or end other streams",
            )
        self.counts.subscribers += 1
        try:
            yield
        finally:
            self.counts.subscribers -= 1
