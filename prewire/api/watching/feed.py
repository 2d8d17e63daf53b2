"""One server's feed of changes: from rows of the database to events for all watchers.

Owns: which kinds are held because somebody watches them, when they are made anew, and the numbers
of events. An object is made and written once, however many watch it, and not at all while nobody
does.
Must not know: HTTP, connections.

Rows change in the database's thread, objects are made in a worker thread, and everything else
happens in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from nib.committing import now_ms
from nib.database import Nib
from nib.mirror import RowChange
from prewire.api.watching import frames
from prewire.api.watching.choice import Choice
from prewire.api.watching.ears import Ears
from prewire.api.watching.frames import EventId
from prewire.api.watching.history import NOTHING, Event, History, Traits
from prewire.api.watching.holding import Change, Holding, Shown
from prewire.api.watching.kinds import Kind
from prewire.api.watching.watcher import TOO_SLOW, Watcher

LOG = logging.getLogger(__name__)

HEARTBEAT_S: Final = 15.0
LINGER_S: Final = 60.0  # a kind is held on after its last watcher, who may come back
MAX_WATCHERS: Final = 5000
CLOSED: Final = "the server ends"

_PIECE_BYTES: Final = 64 << 10
_PIECE_EVENTS: Final = 1000
_MOST_PIECES: Final = 256  # kept between two events, for places that watchers go on from
_MOST_SNAPSHOTS: Final = 16  # likewise, for sets of kinds
_RETRY_S: Final = 5.0


class Feed:
    """The watchers of one server, and what they are told. Used in one event loop, but for its ears.

    told: events by kind. dropped: watchers that read too slowly.
    """

    def __init__(self, nib: Nib, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.history = History()
        self.instance = secrets.token_hex(4)
        self.watchers: set[Watcher] = set()
        self.told: Counter[str] = Counter()
        self.dropped = 0
        self._nib = nib
        self._heartbeat_s = heartbeat_s
        self._held: dict[str, _Held] = {}
        self._ears = Ears(nib)
        self._worker: asyncio.Task[None] | None = None
        self._is_over = False
        self._pieces: dict[tuple[frozenset[str], int], tuple[bytes, int]] = {}
        self._snapshots: dict[frozenset[str], list[bytes]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Watchers are served inside the body, and told to go at its end."""
        try:
            yield
        finally:
            self.end()
            if self._worker is not None:
                self._worker.cancel()
                with suppress(asyncio.CancelledError):
                    await self._worker
            self._ears.close()

    def end(self) -> None:
        """Tell all watchers to go; whoever comes later is told so at once."""
        self._is_over = True
        for watcher in tuple(self.watchers):
            watcher.end(CLOSED)

    async def join(self, choice: Choice) -> Watcher:
        """A watcher that has been told nothing yet; `leave` it at the end. NibUnavailable."""
        watcher = Watcher(self, choice)
        self.watchers.add(watcher)
        try:
            held = [self._hold(kind) for kind in choice.kinds]
            if self._worker is None:
                self._worker = asyncio.create_task(self._work())
            for each in held:
                await each.is_filled.wait()
        except BaseException:
            self.leave(watcher)
            raise
        watcher.begin(resumes_at=self._resumes_at(choice))
        if self._is_over:
            watcher.end(CLOSED)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self.watchers.discard(watcher)
        self.dropped += watcher.ended == TOO_SLOW

    def piece(self, choice: Choice, after: int) -> tuple[bytes, int]:
        """What a watcher is sent of the events after this one, and the last of them; made once for
        all that hear the same."""
        if not choice.is_whole:
            return self._piece(choice, after)
        asked = (choice.names, after)
        found = self._pieces.get(asked)
        if found is None:
            if len(self._pieces) >= _MOST_PIECES:
                self._pieces.clear()
            found = self._pieces[asked] = self._piece(choice, after)
        return found

    def snapshot(self, choice: Choice) -> list[bytes]:
        """What is there now, in pieces; made once for all that come between two events."""
        if not choice.is_whole:
            return self._snapshot(choice)
        found = self._snapshots.get(choice.names)
        if found is None:
            if len(self._snapshots) >= _MOST_SNAPSHOTS:
                self._snapshots.clear()
            found = self._snapshots[choice.names] = self._snapshot(choice)
        return found

    def ready(self, choice: Choice, number: int) -> bytes:
        """That a watcher has been told everything up to this event."""
        with self._nib.view() as view:
            generation = view.generation
        of = {"kinds": [kind.name for kind in choice.kinds], "generation": generation}
        return frames.ready(of, EventId(self.instance, number))

    def _hold(self, kind: Kind) -> _Held:
        held = self._held.get(kind.name)
        if held is None:
            # what was heard of it before does not lead up to now
            self.history.add(NOTHING, time.monotonic())
            held = self._held[kind.name] = _Held(kind, self.history.last)
            self._ears.open()
        held.wanted_at = time.monotonic()
        self._ears.stir()
        return held

    def _resumes_at(self, choice: Choice) -> int | None:
        """The place to go on from; None where what is there must be told first."""
        last = EventId.parsed(choice.after)
        if last is None or last.instance != self.instance or not self.history.reaches(last.number):
            return None
        is_held = all(self._held[name].since <= last.number for name in choice.names)
        return last.number if is_held else None

    def _piece(self, choice: Choice, after: int) -> tuple[bytes, int]:
        parts, size, number, names = [], 0, after, choice.names
        for event in self.history.after(after, _PIECE_EVENTS):
            number += 1
            if event.kind not in names:
                continue
            frame = choice.frame(event, EventId(self.instance, number))
            parts.append(frame)
            size += len(frame)
            if size >= _PIECE_BYTES:
                break
        return b"".join(parts), number

    def _snapshot(self, choice: Choice) -> list[bytes]:
        pieces, parts, size = [], [], 0
        for kind in choice.kinds:
            objects = self._held[kind.name].holding.objects
            keys = sorted(key for key, each in objects.items() if choice.has(key, each.traits))
            for key in keys[-kind.newest :] if kind.newest else keys:
                parts.append(frames.put(objects[key].data))
                size += len(parts[-1])
                if size >= _PIECE_BYTES:
                    pieces.append(b"".join(parts))
                    parts, size = [], 0
        return [*pieces, b"".join(parts)] if parts else pieces

    async def _work(self) -> None:
        """Make anew what has changed, as long as somebody watches, and keep connections alive."""
        beats_at = time.monotonic() + self._heartbeat_s
        while True:
            await self._ears.wait(self._wakes_at(beats_at))
            self._heed(self._ears.take())
            now_s = time.monotonic()
            if now_s >= beats_at:
                beats_at = now_s + self._heartbeat_s
                self._beat(now_s)
            for held in tuple(self._held.values()):
                wakes_at = held.holding.wakes_at(now_s, now_ms())
                if self._ears.are_open and wakes_at is not None and wakes_at <= now_s:
                    await self._renew(held)

    def _wakes_at(self, beats_at: float) -> float:
        if not self._ears.are_open:  # until the database's thread has begun to tell
            return beats_at
        now_s, now = time.monotonic(), now_ms()
        times = (each.holding.wakes_at(now_s, now) for each in self._held.values())
        return min([beats_at, *(each for each in times if each is not None)])

    def _heed(self, changes: Iterable[RowChange]) -> None:
        heard = tuple(changes)
        for held in self._held.values() if heard else ():
            held.holding.hear(heard)

    async def _renew(self, held: _Held) -> None:
        holding = held.holding
        try:
            found = await asyncio.to_thread(holding.renew, self._nib, holding.heard(), now_ms())
        except Exception:
            LOG.exception("%s cannot be shown to those who watch them", holding.kind.name)
            holding.begin_anew(time.monotonic() + _RETRY_S)
            return
        holding.accept(found)
        is_first = not held.is_filled.is_set()
        held.is_filled.set()
        if found and is_first:
            self._snapshots.clear()
        elif found:
            self._publish(holding.kind, found)

    def _publish(self, kind: Kind, changes: Iterable[Change]) -> None:
        self._pieces.clear()
        self._snapshots.clear()
        now_s = time.monotonic()
        for change in changes:
            at = EventId(self.instance, self.history.last + 1)
            if change.new is not None:
                frame = frames.put(change.new.data, at)
            elif kind.grows:
                continue
            else:
                frame = frames.delete(kind.name, change.key, at)
            before, after = _traits(change.old), _traits(change.new)
            self.history.add(Event(kind.name, change.key, before, after, frame), now_s)
            self.told[kind.name] += 1
        for watcher in self.watchers:
            watcher.pass_by(frozenset((kind.name,)))

    def _beat(self, now_s: float) -> None:
        """Let every watcher's connection show that it lives; forget kinds that nobody watches."""
        for watcher in self.watchers:
            watcher.beat = True
            watcher.wake()
        wanted = frozenset[str]().union(*(each.choice.names for each in self.watchers))
        for name, held in tuple(self._held.items()):
            if name in wanted:
                held.wanted_at = now_s
            elif now_s - held.wanted_at > LINGER_S:
                del self._held[name]
        if not self._held:
            self._pieces.clear()
            self._snapshots.clear()
            self._ears.close()


def _traits(shown: Shown | None) -> Traits:
    return None if shown is None else shown.traits


class _Held:
    """A kind that somebody watches, or did lately.

    since: the event with which that began; wanted_at: when somebody did last, monotonic seconds.
    """

    def __init__(self, kind: Kind, since: int) -> None:
        self.holding = Holding(kind)
        self.since = since
        self.is_filled = asyncio.Event()
        self.wanted_at = time.monotonic()
