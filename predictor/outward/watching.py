"""What one subscriber is told: a snapshot or what it missed, then each change as it comes.

Owns: the order of events in a stream, and their tokens. Nothing is buffered for a subscriber but
the snapshot it is being told: it hears of each thing's last change (`predictor.outward.log`).
Must not know: what the rows mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from predictor.outward import tokens
from predictor.outward.feed import Feed
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.log import Entry, Key, Log
from predictor.outward.streams import Streams
from predictor.outward.tokens import Token

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Subscription(Generic[R]):
    """What a subscriber watches, and how it is told.

    event: the message for a thing as it is now, None = gone. concerns: whether it is told of.
    initially: whether a snapshot tells of it. shared: whether other predictors' logs tell of the
    same things.
    """

    stream: str
    feed: Feed
    log: Callable[[], AbstractContextManager[Log[R]]]
    event: Callable[[Key, R | None], Any]
    concerns: Callable[[Key, R | None], bool]
    initially: Callable[[R], bool]
    shared: bool
    streams: Streams
    context: Any

    async def tell(self, resume_token: str) -> None:
        """Tell until the call ends; Refused where it is not read, FieldError for its token."""
        await self._until_begun()
        version = await self._begin(resume_token)
        while True:
            beat = self.streams.pulse.next()
            with self.log() as log:
                entries = log.since(version)
            if entries is None:  # behind by more than is remembered
                version = await self._snapshot(pb.POSITION_RESET)
            elif entries:
                await self._tell_changes(entries)
                version = entries[-1].version
            else:
                await beat

    async def _until_begun(self) -> None:
        beat = self.streams.pulse.next()
        while not self.feed.begun:
            await beat
            beat = self.streams.pulse.next()

    async def _begin(self, resume_token: str) -> int:
        if not resume_token:
            return await self._snapshot()
        token = tokens.read_token(resume_token, self.stream)
        with self.log() as log:
            missed = tokens.resume(log, token, self.feed.instance, shared=self.shared)
            ready = self._token(log.version, self.feed.now_ms())
        if missed is None:
            return await self._snapshot(pb.POSITION_RESET)
        await self._tell_position(pb.POSITION_RESUMED)
        await self._tell_changes(missed)
        await self._tell_position(pb.POSITION_READY, ready)
        return ready.version

    async def _snapshot(self, first: pb.Position.ValueType | None = None) -> int:
        with self.log() as log:
            entries = log.snapshot()
            ready = self._token(log.version, self.feed.now_ms())
        if first is not None:
            await self._tell_position(first)
        for entry in entries:
            if entry.row is not None and self._is_told(entry.key, entry.row):
                event = self.event(entry.key, entry.row)
                event.position = pb.POSITION_SNAPSHOT
                await self.streams.write(self.context, event)
        await self._tell_position(pb.POSITION_READY, ready)
        return ready.version

    def _is_told(self, key: Key, row: R) -> bool:
        return self.initially(row) and self.concerns(key, row)

    async def _tell_changes(self, entries: Iterable[Entry[R]]) -> None:
        for entry in entries:
            if self.concerns(entry.key, entry.row):
                event = self.event(entry.key, entry.row)
                event.position = pb.POSITION_CHANGE
                event.resume_token = str(self._token(entry.version, entry.at_ms))
                await self.streams.write(self.context, event)

    async def _tell_position(
        self, position: pb.Position.ValueType, token: Token | None = None
    ) -> None:
        event = self.event(("", ""), None)
        event.Clear()
        event.position = position
        event.resume_token = "" if token is None else str(token)
        await self.streams.write(self.context, event)

    def _token(self, version: int, at_ms: int) -> Token:
        return Token(self.stream, self.feed.instance, version, at_ms)
