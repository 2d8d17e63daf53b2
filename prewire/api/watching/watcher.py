"""Where one watcher stands, and what it is to be sent next.

Owns: a watcher's place among the events, and its end.
Must not know: HTTP, how events are made. All of it runs in the event loop.

A watcher keeps no events of its own: what all are sent is made once. One that reads too slowly
finds that the history has gone on without it, and ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from prewire.api.watching import frames
from prewire.api.watching.choice import Choice
from prewire.api.watching.history import History

TOO_SLOW: Final = "it did not read what it was sent"


class Source(Protocol):
    """What watchers need of the feed."""

    history: History
    instance: str

    def piece(self, choice: Choice, after: int) -> tuple[bytes, int]:
        """What it is sent of the events after this one, and the last of them that is dealt with."""

    def snapshot(self, choice: Choice) -> Iterable[bytes]:
        """What is there now."""

    def ready(self, choice: Choice, number: int) -> bytes:
        """That everything up to this event is told."""


class Watcher:
    """One watcher. ended: why it is over, None = it is not; "" = nobody is there to be told."""

    __slots__ = ("_first", "_is_told", "_source", "_waits", "beat", "choice", "ended", "place")

    def __init__(self, source: Source, choice: Choice) -> None:
        self.choice = choice
        self.ended: str | None = None
        self.beat = False
        self.place = source.history.last
        self._source = source
        self._first: deque[bytes] = deque()
        self._is_told = False
        self._waits: asyncio.Future[None] | None = None

    def begin(self, *, resumes_at: int | None) -> None:
        """From a place on, or with what is there now."""
        self.place = self._source.history.last
        if resumes_at is not None:
            self.place = resumes_at
            return
        if self.choice.after:
            self._first.append(frames.RESET)
        if self.choice.snapshot:
            self._first.extend(self._source.snapshot(self.choice))

    def next(self) -> bytes:
        """What it is to be sent now; nothing, where it has everything or has ended."""
        if self._first:
            return self._first.popleft()
        return b"" if self.ended is not None else self._event() or self._word()

    def _event(self) -> bytes:
        """The next events that concern it, if there are any."""
        while self.place < self._source.history.last:
            if not self._source.history.reaches(self.place):
                self.end(TOO_SLOW)
                break
            piece, self.place = self._source.piece(self.choice, self.place)
            if piece:
                return piece
        return b""

    def _word(self) -> bytes:
        """What is said where there is no event."""
        if self.ended is not None:
            return b""
        if not self._is_told:
            self._is_told = True
            return self._source.ready(self.choice, self.place)
        if self.beat:
            self.beat = False
            return frames.HEARTBEAT
        return b""

    async def wait(self) -> None:
        """Return when there is something to do."""
        if self.ended is None:
            self._waits = asyncio.get_running_loop().create_future()
            try:
                await self._waits
            finally:
                self._waits = None

    def wake(self) -> None:
        """Have it look."""
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)

    def pass_by(self, kinds: frozenset[str]) -> None:
        """Events of these kinds were added: have it look, or leave it where they do not concern
        it."""
        if self.choice.names.isdisjoint(kinds):
            if self._waits is not None:
                self.place = self._source.history.last
        else:
            self.wake()

    def end(self, reason: str) -> None:
        """It is over; the first reason counts."""
        if self.ended is None:
            self.ended = reason
        if not reason:
            self._first.clear()
        self.wake()
