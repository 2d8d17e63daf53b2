"""Reads the pages of controllers' /metrics at a pace.

Of several controllers the page of the one that leads counts: the others read no switches. One that
is away, slow, or says nonsense is a failure with a reason, never an exception.

Must not know: what pages say of loads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx

from predictor.series.scrape import LEADER_EPOCH, WANTED, Labels, Page, Parser

_LARGEST: Final = 1 << 28  # bytes of a page
_SLOWEST: Final = 8  # times the interval, between attempts that fail
_PLAIN: Final = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, eq=False)
class Scraped:
    """A page as it was at a time (milliseconds since 1970), by the controller's URL."""

    page: Page
    at_ms: int
    source: str


class ScrapeFailed(Exception):
    """A page could not be had; the text says why."""


class Scraper:
    """Of the controllers at these URLs. To be used in one event loop, and closed."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        timeout_s: float = 10.0,
        client: httpx.AsyncClient | None = None,
        wanted: Mapping[str, Labels] = WANTED,
    ) -> None:
        """timeout_s: for a whole page. client: closed with the scraper. wanted: metrics that are
        read, with the labels that name a series; LEADER_EPOCH must be among them."""
        self._parsers = {url: Parser(wanted) for url in urls}
        self._timeout_s = timeout_s
        self._given = client
        self._client: httpx.AsyncClient | None = None
        self.failure = ""  # why the last attempt failed; "": it did not
        self.failures = 0  # in a row

    async def scrape(self) -> Scraped | None:
        """The leader's page; None: see `failure`."""
        found = await asyncio.gather(*(self._read(url) for url in self._parsers))
        pages = [each for each in found if isinstance(each, Scraped)]
        leading = [each for each in pages if _epoch(each.page) != 0]
        if leading:
            self.failure, self.failures = "", 0
            return max(leading, key=lambda each: _epoch(each.page))
        reasons = [each for each in found if isinstance(each, str)]
        if pages:
            reasons.append("no controller leads")
        self.failure = "; ".join(reasons) or "no URL is given"
        self.failures += 1
        return None

    async def run(
        self, interval_s: float, heard: Callable[[Scraped], None], stop: asyncio.Event
    ) -> None:
        """Scrape at this interval, more seldom while that fails, until stop is set."""
        due = time.monotonic()
        while not stop.is_set():
            scraped = await self.scrape()
            if scraped is not None:
                heard(scraped)
            waits = min(2 ** min(self.failures, 8), _SLOWEST)
            due = max(due + interval_s * waits, time.monotonic())
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), due - time.monotonic())

    async def close(self) -> None:
        """Close connections."""
        for client in (self._client, self._given):
            if client is not None:
                await client.aclose()

    async def _read(self, url: str) -> Scraped | str:
        """The page, or why there is none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                text, at_ms = await self._fetch(url)
            # Not within the timeout: a thread left behind would meet the next page in its parser.
            page = await asyncio.to_thread(self._parsers[url].parse, text)
            if not page.families:
                raise ScrapeFailed(
                    "is no page of a prewire controller: give the URL of its /metrics"
                )
            return Scraped(page, at_ms, url)
        except TimeoutError:
            return f"{url}: no whole page within {self._timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, ScrapeFailed) as error:
            return f"{url}: {error or type(error).__name__}"

    async def _fetch(self, url: str) -> tuple[bytes, int]:
        """A page as it was at a time (milliseconds since 1970)."""
        client = self._open()
        async with client.stream("GET", url, headers=_PLAIN) as answer:
            at_ms = time.time_ns() // 1_000_000
            if answer.status_code != httpx.codes.OK:
                raise ScrapeFailed(f"answers {answer.status_code}")
            text = bytearray()
            async for part in answer.aiter_bytes():
                text += part
                if len(text) > _LARGEST:
                    raise ScrapeFailed(f"a page of more than {_LARGEST >> 20} MiB")
        return bytes(text), at_ms

    def _open(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout_s)
        return self._client


def _epoch(page: Page) -> float:
    """In which the page's controller leads; 0: it does not. A page that says nothing leads."""
    family = page.family(LEADER_EPOCH)
    return float(family.values[0]) if family.values.size else 0.5
