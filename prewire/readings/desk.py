"""Reads the controllers' pages when somebody asks, at most once a second however many ask.

Must not know: HTTP towards those who ask.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from predictor.series.scrape import Page
from predictor.series.scraper import Scraped, Scraper
from prewire.readings.answers import Kind, Readings
from prewire.readings.rates import Rates
from prewire.readings.told import READERS, Now
from prewire.readings.wanted import WANTED

KINDS: Final = tuple(READERS)

_LEAST_S: Final = 1.0  # between two scrapes
_TIMEOUT_S: Final = 3.0  # for a page


class ReadingsDesk:
    """Of the controllers at these URLs. To be used in one event loop, and closed."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._scraper = Scraper(urls, timeout_s=_TIMEOUT_S, wanted=WANTED)
        self._lock = threading.Lock()  # of the next two
        self._rates = Rates()
        self._last: Scraped | None = None
        self._ended = float("-inf")  # of the last scrape, in monotonic seconds
        self._scrape: asyncio.Task[None] | None = None
        self._told: dict[frozenset[Kind], bytes] = {}  # answers, until the next scrape

    async def told(self, kinds: frozenset[Kind]) -> bytes:
        """The readings of these kinds as JSON (`Readings`), not older than a second."""
        if self._scrape is None and time.monotonic() - self._ended >= _LEAST_S:
            self._scrape = asyncio.create_task(self._read())
        if self._scrape is not None:
            await asyncio.shield(self._scrape)  # others wait for it too
        told = self._told
        if kinds not in told:
            told[kinds] = await asyncio.to_thread(self._answer, kinds)
        return told[kinds]

    async def close(self) -> None:
        """Close connections."""
        await self._scraper.close()

    async def _read(self) -> None:
        try:
            scraped = await self._scraper.scrape()
            if scraped is not None:
                await asyncio.to_thread(self._take, scraped)
        finally:
            self._told = {}
            self._ended = time.monotonic()
            self._scrape = None

    def _take(self, scraped: Scraped) -> None:
        with self._lock:
            if self._last is not None and scraped.source != self._last.source:
                self._rates = Rates()  # another controller leads: its counters are others
            self._rates.read(scraped.page, scraped.at_ms / 1000)
            self._last = scraped

    def _answer(self, kinds: frozenset[Kind]) -> bytes:
        failure = self._scraper.failure
        with self._lock:
            last = self._last
            page = Page({}) if last is None else last.page
            now = Now(page, self._rates, time.time())
            found: dict[str, Any] = {kind: READERS[kind](now) for kind in KINDS if kind in kinds}
        at_ms = 0 if last is None else last.at_ms
        readings = Readings.model_construct(
            at_ms=at_ms, stale=bool(failure), failure=failure, **found
        )
        absent: set[str] = {kind for kind in KINDS if kind not in kinds}
        return readings.model_dump_json(exclude=absent).encode()
