"""Range queries to a Prometheus server.

A long time is asked for in parts, the youngest first; a part that takes too long is asked for in
halves, one that fails again after a while. What a server says of a time is about the step that ends
then.

Must not know: what windows are used for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import numpy as np

from predictor.series.window import Window

_LONGEST: Final = 240  # steps asked for at a time
_SHORTEST: Final = 15
_ATTEMPTS: Final = 3
_LARGEST: Final = 1 << 28  # bytes of an answer
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
# What parsing a text that is no answer raises; OverflowError: numbers of hundreds of digits.
_NO_ANSWER: Final = (
    *(ValueError, TypeError, KeyError, AttributeError),
    *(OverflowError, RecursionError),
)
_TOO_MUCH: Final = ("too many samples", "timed out", "exceeded maximum resolution")


class PrometheusError(Exception):
    """The server did not give what was asked for; the text says why and what to do."""


class PrometheusAway(PrometheusError):
    """It is not there, too slow, or in trouble: later it may be otherwise."""


class PrometheusRefused(PrometheusError):
    """It does not understand: the query or the URL is wrong."""


class _TooMuch(Exception):
    """A part is too much to ask for at a time."""


@dataclass(frozen=True, slots=True)
class RangeQueries:
    """A server by its URL, as in http://127.0.0.1:9090.

    timeout_s: of one part; pause_s: before a part is asked for again, at first. client: not closed
    here; None: one for each call.
    """

    url: str
    timeout_s: float = 30.0
    pause_s: float = 0.5
    client: httpx.AsyncClient | None = None

    async def range(
        self, query: str, start_ms: int, end_ms: int, step_s: float, label: str | None = None
    ) -> Window:
        """The whole steps between two times; series are named by this label, or by all of theirs.

        Series of one name are summed; NaN where the server has nothing. Raises PrometheusError.
        """
        step_ms = round(step_s * 1000)
        if step_ms < 1:
            raise PrometheusRefused(f"steps of {step_s} s: give steps of a second or more")
        first, end, most = start_ms // step_ms, end_ms // step_ms, _LONGEST
        parts: list[Window] = []
        async with self.opened() as client:
            while end > first:
                begin = max(first, end - most)
                try:
                    answer = await self._ask(client, query, (begin + 1, end), step_s)
                except _TooMuch as error:
                    if end - begin <= _SHORTEST:
                        raise PrometheusAway(
                            f"{self.url}: {error}; ask for less, or later"
                        ) from None
                    most = max(_SHORTEST, (end - begin) // 2)
                    continue
                parts.insert(
                    0, await asyncio.to_thread(self._window, answer, begin, end, step_s, label)
                )
                end = begin
        return _joined(parts, step_s, end_ms // step_ms * step_ms)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[httpx.AsyncClient]:
        """The client, or one that is closed in the end."""
        if self.client is not None:
            yield self.client
            return
        async with httpx.AsyncClient(timeout=self.timeout_s) as client:
            yield client

    async def _ask(
        self, client: httpx.AsyncClient, query: str, steps: tuple[int, int], step_s: float
    ) -> bytes:
        """The body of the answer about the steps that end at these numbers."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self.pause_s * 2 ** (attempt - 1))
            try:
                async with asyncio.timeout(self.timeout_s):
                    status, body = await self._get(client, query, steps, step_s)
            except TimeoutError:
                raise _TooMuch(f"no answer within {self.timeout_s:g} s") from None
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise PrometheusRefused(
                    f"{self.url}: {error}; give a URL as http://127.0.0.1:9090"
                ) from None
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
                continue
            if status == httpx.codes.OK:
                return body
            problem = _problem(status, body)
            if status not in _BUSY or any(words in problem for words in _TOO_MUCH):
                self._refuse(problem)
        raise PrometheusAway(
            f"{self.url}: {problem}; see that the server runs, and that this is its URL"
        )

    def _refuse(self, problem: str) -> None:
        if any(words in problem for words in _TOO_MUCH):
            raise _TooMuch(problem)
        raise PrometheusRefused(f"{self.url}: {problem}; correct the query, or the URL")

    async def _get(
        self, client: httpx.AsyncClient, query: str, steps: tuple[int, int], step_s: float
    ) -> tuple[int, bytes]:
        fields = {
            "query": query,
            "start": f"{steps[0] * step_s:.3f}",
            "end": f"{steps[1] * step_s:.3f}",
            "step": f"{step_s:.3f}",
            "timeout": f"{self.timeout_s:.3f}",
        }
        url = f"{self.url.rstrip('/')}/api/v1/query_range"
        body = bytearray()
        async with client.stream("GET", url, params=fields) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    raise _TooMuch(f"an answer of more than {_LARGEST >> 20} MiB")
        return answer.status_code, bytes(body)

    def _window(
        self, body: bytes, begin: int, end: int, step_s: float, label: str | None
    ) -> Window:
        """What an answer says of the steps [begin, end)."""
        try:
            found = json.loads(body)["data"]["result"]
            rows: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
            for series in found:
                row = rows.setdefault(_name(series["metric"], label), np.full(end - begin, np.nan))
                points = np.array(series["values"], dtype=np.float64).reshape(-1, 2)
                places = np.rint(points[:, 0] / step_s).astype(np.int64) - 1 - begin
                known = (places >= 0) & (places < row.size) & np.isfinite(points[:, 1])
                here = places[known]
                row[here] = np.where(np.isnan(row[here]), 0.0, row[here]) + points[known, 1]
        except _NO_ANSWER:
            raise PrometheusRefused(
                f"{self.url}: answers what no Prometheus server does; give the URL of one"
            ) from None
        values = np.array(list(rows.values())).reshape(len(rows), end - begin)
        return Window(tuple(rows), step_s, round(end * step_s * 1000), values)


def _name(labels: dict[str, str], label: str | None) -> str:
    if label is not None:
        return str(labels.get(label, ""))
    given = sorted(each for each in labels.items() if each[0] != "__name__")
    return ",".join(f"{name}={value}" for name, value in given) or labels.get("__name__", "value")


def _problem(status: int, body: bytes) -> str:
    """What an answer that is none says."""
    try:
        return f"{status}: {json.loads(body)['error']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"answers {status}"


def _joined(parts: Sequence[Window], step_s: float, end_ms: int) -> Window:
    """Parts that follow each other, the oldest first."""
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    rows = {name: row for row, name in enumerate(names)}
    values = np.full((len(names), sum(part.steps for part in parts)), np.nan)
    column = 0
    for part in parts:
        here = [rows[name] for name in part.names]
        values[here, column : column + part.steps] = part.values
        column += part.steps
    return Window(names, step_s, end_ms, values)
