"""History from a Prometheus server: any query, and what it scraped of the controllers.

Must not know: how a server is asked (`predictor.series.queries`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from predictor.series.loads import Loads
from predictor.series.queries import (
    PrometheusAway,
    PrometheusError,
    PrometheusRefused,
    RangeQueries,
)
from predictor.series.scrape import (
    INFLIGHT,
    NEW_CONNECTIONS,
    POLICY_BYTES,
    REFUSED,
    WITHOUT_CONTAINER,
)
from predictor.series.window import Floats, Window

_MINUTE_MS: Final = 60_000
_PART_MS: Final = 240 * _MINUTE_MS
_DAY_MS: Final = 86_400_000
_ASSUMED_S: Final = 1.0  # service time where it cannot be told

# Several controllers export what containers have in flight, one counts connections at a time.
_INFLIGHT: Final = (
    f"max_over_time(sum by (service) (max by (service, container) ({INFLIGHT}))[1m:15s])"
)
_ARRIVALS: Final = tuple(
    f"sum by (service) (rate({metric}[2m]))"
    for metric in (NEW_CONNECTIONS, WITHOUT_CONTAINER, REFUSED)
)
_BITS: Final = f"8 * sum by (policy) (rate({POLICY_BYTES}[2m]))"

Keep = Callable[[str, Window], None]  # kind, minutes

__all__ = ["Prometheus", "PrometheusAway", "PrometheusError", "PrometheusRefused"]


class Prometheus(RangeQueries):
    """A server that also scrapes controllers."""

    async def learn(
        self,
        loads: Loads,
        now_ms: int,
        *,
        days: float = 14,
        within_s: float = 120.0,
        keep: Keep | None = None,
    ) -> int:
        """Fill loads with minutes of the past, the youngest first; how many minutes were read.

        keep: is given all that was read, also what is older than loads keep; without it no more is
        asked for than that. Raises PrometheusError; what was read before is filled in.
        """
        end_ms = now_ms // _MINUTE_MS * _MINUTE_MS
        kept_ms = min(stream.minutes.steps for stream in loads.streams.values()) * _MINUTE_MS
        length_ms = round(days * _DAY_MS)
        oldest_ms = end_ms - (length_ms if keep is not None else min(length_ms, kept_ms))
        read = 0
        try:
            async with asyncio.timeout(within_s), self.opened() as client:
                opened = replace(self, client=client)
                while end_ms > oldest_ms:
                    begin_ms = max(oldest_ms, end_ms - _PART_MS)
                    for kind, window in (await _part(opened, begin_ms, end_ms)).items():
                        loads.fill(kind, window)
                        if keep is not None:
                            keep(kind, window)
                    read += (end_ms - begin_ms) // _MINUTE_MS
                    end_ms = begin_ms
        except TimeoutError:
            raise PrometheusAway(
                f"{self.url}: {read} minutes read within {within_s:g} s; the rest is left out"
            ) from None
        return read


async def _part(server: RangeQueries, begin_ms: int, end_ms: int) -> dict[str, Window]:
    """Minutes of each kind of load."""
    inflight = await server.range(_INFLIGHT, begin_ms, end_ms, 60.0, "service")
    arrivals = [await server.range(query, begin_ms, end_ms, 60.0, "service") for query in _ARRIVALS]
    bits = await server.range(_BITS, begin_ms, end_ms, 60.0, "policy")
    names = tuple(dict.fromkeys(name for each in (inflight, *arrivals) for name in each.names))
    rate = _summed([_rows(each, names) for each in arrivals])
    busy = _rows(inflight, names)
    demand = np.fmax(busy, rate * _service_times(busy, rate)[:, None])
    return {
        "demand": Window(names, 60.0, end_ms, demand),
        "rate": Window(names, 60.0, end_ms, rate),
        "bits": bits,
    }


def _service_times(busy: Floats, rate: Floats) -> Floats:
    """Seconds, by Little's law, at most as assumed: what is in flight is the most of a minute."""
    known = np.isfinite(busy) & np.isfinite(rate)
    arrived = np.where(known, rate, 0.0).sum(axis=1)
    total = np.where(known, busy, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(arrived > 0, np.minimum(total / arrived, _ASSUMED_S), _ASSUMED_S)


def _summed(each: list[Floats]) -> Floats:
    """What is known of them, in sum."""
    known = [np.isfinite(values) for values in each]
    total = sum(np.where(here, values, 0.0) for here, values in zip(known, each, strict=True))
    return np.where(np.any(known, axis=0), total, np.nan)


def _rows(window: Window, names: tuple[str, ...]) -> Floats:
    """Values in the order of these names."""
    place = {name: row for row, name in enumerate(window.names)}
    values = np.full((len(names), window.steps), np.nan)
    for row, name in enumerate(names):
        if name in place:
            values[row] = window.values[place[name]]
    return values
