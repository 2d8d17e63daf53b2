"""Reports of containers: taken in memory, written in one transaction a tick.

Owns: what is kept of a report until it is written, the bound on reports a second, and which
reports are worth a row. A report that changes no decision costs no transaction; nothing expires:
what was reported last counts until the next report.

Must not know: HTTP, what is decided from a report.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway_lb.agent_check import NOTHING, Said, said
from nib.database import Nib
from nib.draft import Draft
from nib.errors import FieldError, NibError, NibUnavailable, NotFound
from nib.fields import check_integer
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Report

LOG = logging.getLogger(__name__)

DEFAULT_TICK_MS: Final = 50
DEFAULT_PER_SECOND: Final = 20_000
MAX_ITEMS: Final = 10_000
MAX_PROBLEMS: Final = 20
RESULTS: Final = ("accepted", "unknown", "malformed", "dropped")
MAX_INFLIGHT: Final = 1_000_000
_LAST_WRITE_SECONDS: Final = 1.0

ContainerKey = tuple[str, str]


class TooManyReports(Exception):
    """More reports than a process takes; `retry_after_s`: when there is room for them."""

    def __init__(self, retry_after_s: int, per_second: int) -> None:
        super().__init__(f"more than {per_second} reports a second")
        self.retry_after_s = retry_after_s


class Told(Protocol):
    """One report. words: HAProxy's agent-check words; inflight: requests it works at."""

    @property
    def service(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def inflight(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One report, as a value."""

    service: str
    container: str
    words: str = ""
    inflight: int | None = None


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """Why the item at this place (from 0) was not taken."""

    item: int
    field: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Taken:
    """How many items were taken and how many not; the first problems."""

    accepted: int
    dropped: int
    problems: tuple[ItemProblem, ...]


class Inbox:
    """Reports that wait to be written, the newest of each container. Pure: time is an argument.

    `counts` says what became of all reports, by RESULTS. Monotonic seconds throughout.
    """

    def __init__(self, per_second: int = DEFAULT_PER_SECOND, now_s: float = 0.0) -> None:
        self.counts = dict.fromkeys(RESULTS, 0)
        self._waiting: dict[ContainerKey, Said] = {}
        self._per_second = per_second
        self._room = float(per_second)
        self._room_at = now_s

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, items: Sequence[Told], view: Lookups, now_s: float) -> Taken:
        """Keep the items of containers in the view. TooManyReports where there is no room."""
        self._make_room(len(items), now_s)
        problems: list[ItemProblem] = []
        dropped = 0
        for place, item in enumerate(items):
            try:
                self._keep(item, view)
            except (FieldError, NotFound) as error:
                dropped += 1
                if len(problems) < MAX_PROBLEMS:
                    problems.append(_problem(place, error))
        return Taken(len(items) - dropped, dropped, tuple(problems))

    def take_one(self, item: Told, view: Lookups, now_s: float) -> None:
        """Keep one. NotFound, FieldError or TooManyReports where it is not taken."""
        self._make_room(1, now_s)
        self._keep(item, view)

    def taken_out(self) -> dict[ContainerKey, Said]:
        """All that waits; it waits no more."""
        waiting, self._waiting = self._waiting, {}
        return waiting

    def put_back(self, older: Mapping[ContainerKey, Said]) -> None:
        """Have what could not be written wait again; what came since is newer."""
        for key, first in older.items():
            self._waiting[key] = first.then(self._waiting.get(key, NOTHING))

    def _make_room(self, count: int, now_s: float) -> None:
        rate = self._per_second
        room = min(rate, self._room + rate * max(0.0, now_s - self._room_at))
        self._room, self._room_at = room, now_s
        if count > room:
            self.counts["dropped"] += count
            raise TooManyReports(max(1, math.ceil((count - room) / rate)), rate)
        self._room -= count

    def _keep(self, item: Told, view: Lookups) -> None:
        key = (item.service, item.container)
        if view.get(Container, key) is None:
            self.counts["unknown"] += 1
            view.need(Service, item.service)
            raise NotFound("Container", key)
        try:
            told = _told(item)
        except FieldError:
            self.counts["malformed"] += 1
            raise
        self.counts["accepted"] += 1
        older = self._waiting.get(key)
        self._waiting[key] = told if older is None else older.then(told)


def _told(item: Told) -> Said:
    told = said(item.words)
    if item.inflight is None:
        if told == NOTHING:
            raise FieldError("words", "nothing is reported", "give words, inflight or both")
        return told
    inflight = check_integer("inflight", item.inflight, 0, MAX_INFLIGHT)
    return Said(told.percent, told.max_inflight, told.word, inflight)


def _problem(place: int, error: FieldError | NotFound) -> ItemProblem:
    if isinstance(error, FieldError):
        return ItemProblem(place, error.field, error.message, error.remedy)
    return ItemProblem(place, error.kind.lower(), str(error), "register it first")


def write_reports(told: Mapping[ContainerKey, Said]) -> Callable[[Draft], int]:
    """Write the rows that these reports change, and return how many. Containers that are gone are
    left out."""

    def change(draft: Draft) -> int:
        written = 0
        for key, what in told.items():
            container = draft.get(Container, key)
            if container is None:
                continue
            before = draft.get(Report, key) or Report(*key)
            after = what.of(before)
            if not _counts_inflight(container, after, draft):
                after = replace(after, inflight=before.inflight)
            if after != before:
                draft.put(after)
                written += 1
        return written

    return change


def _counts_inflight(container: Container, report: Report, view: Lookups) -> bool:
    """Whether anything is decided from the container's in-flight count."""
    if container.max_inflight is not None or report.max_inflight is not None:
        return True
    return view.need(Service, container.service).policy == "least_inflight"


class ReportDesk:
    """Takes reports and writes them: the first at once, then at most one transaction a tick.

    While the database is away reports are kept, the newest of each container. Belongs to one event
    loop. `writes` counts the transactions.
    """

    def __init__(
        self,
        nib: Nib,
        tick_ms: int = DEFAULT_TICK_MS,
        per_second: int = DEFAULT_PER_SECOND,
    ) -> None:
        self.inbox = Inbox(per_second, time.monotonic())
        self.writes = 0
        self._nib = nib
        self._tick_s = tick_ms / 1000
        self._arrived = asyncio.Event()

    def take(self, items: Sequence[Told]) -> Taken:
        """Keep reports, to be written soon. TooManyReports."""
        with self._nib.view() as view:
            taken = self.inbox.take(items, view, time.monotonic())
        self._arrived.set()
        return taken

    def take_one(self, item: Told) -> None:
        """Keep a report, to be written soon. NotFound, FieldError, TooManyReports."""
        with self._nib.view() as view:
            self.inbox.take_one(item, view, time.monotonic())
        self._arrived.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Write as long as the block lasts, and what waits at its end."""
        writing = asyncio.create_task(self._keep_writing(), name="reports")
        try:
            yield
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
            with suppress(NibError, TimeoutError):
                await asyncio.wait_for(self._write(), _LAST_WRITE_SECONDS)

    async def _keep_writing(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._write()
            except NibUnavailable as error:
                LOG.warning("reports of %d containers wait: %s", len(self.inbox), error)
                self._arrived.set()
            await asyncio.sleep(self._tick_s)

    async def _write(self) -> None:
        """Write what waits. NibUnavailable: it waits on."""
        told = self.inbox.taken_out()
        if not told:
            return
        try:
            done = await asyncio.wrap_future(self._nib.write(write_reports(told)))
        except (NibUnavailable, asyncio.CancelledError):
            self.inbox.put_back(told)
            raise
        except Exception:  # a defect, or a row that is refused: the next reports must not wait
            LOG.exception("reports of %d containers could not be written", len(told))
            self.inbox.counts["dropped"] += len(told)
            return
        self.writes += bool(done.value)
