"""How loaded services and policies are, learned from pages of controllers' /metrics.

Of a service: the concurrency that is offered to it, its rate of new connections, its service time.
Of a policy: bits a second offered, over all switches.

Must not know: where pages come from, forecasts, the clock: times are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from predictor.series.counters import LIVE, MAX_GAP_MS, Counters
from predictor.series.little import Little
from predictor.series.roll import Roll, sums
from predictor.series.scrape import (
    INFLIGHT,
    NEW_CONNECTIONS,
    POLICY_BYTES,
    SERVICE_PANIC,
    Page,
)
from predictor.series.streams import MINUTE_MS, Means, Peaks, Stream
from predictor.series.window import Floats, Window

_SERVICE_METRICS: Final = (SERVICE_PANIC, INFLIGHT, NEW_CONNECTIONS, *LIVE)
_BACK_MS: Final = 5_000  # by which a page may be older than the last, and is left out
_HOLD_MS: Final = 10_000  # between pages, over which a level is taken to be as at their end
_FORGET_MS: Final = 86_400_000
_GONE_MS: Final = 600_000
MOST_GONE: Final = 1000  # services, 41 KB each, and as many policies, 15 KB each
_SOURCES: Final = 8


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept in memory: seconds of demand, of rates, of bits, and minutes of each."""

    demand_s: int = 3600
    rate_s: int = 900
    bits_s: int = 900
    minutes: int = 2880


class Loads:
    """Learns from page after page.

    counters_every_s: how often controllers ask switches for counters. assumed_service_time_s: where
    none is measured.
    """

    def __init__(
        self,
        keep: Keep = Keep(),
        *,
        counters_every_s: float = 5.0,
        assumed_service_time_s: float = 1.0,
    ) -> None:
        self.streams: Mapping[str, Stream] = {
            "demand": (demand := Peaks(keep.demand_s, keep.minutes)),
            "rate": (rate := Means(keep.rate_s, keep.minutes)),
            "bits": (bits := Means(keep.bits_s, keep.minutes)),
        }
        self._demand, self._rate, self._bits = demand, rate, bits
        self._every_s = counters_every_s
        self._sources: dict[str, Counters] = {}
        self._services, self._policies = Roll(), Roll()
        self._little = Little(assumed_service_time_s)
        self.last_ms: int | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """All that were in a page, or in what was filled in, within a day; of those that are gone
        the last thousand."""
        return self._services.names

    @property
    def policies(self) -> tuple[str, ...]:
        """Likewise."""
        return self._policies.names

    def fresh(self, now_ms: int, within_s: float) -> bool:
        """Whether the last page is no older than that."""
        return self.last_ms is not None and now_ms - self.last_ms <= within_s * 1000

    def add(self, page: Page, at_ms: int, source: str = "") -> None:
        """A page as it was at a time, of one controller. Raises nothing.

        One that is not younger than the last is left out; where it is older by seconds, the clock
        was set back, and what is known moves with it. After a gap of minutes rates are not known.
        """
        if at_ms <= 0 or not self._follow_clock(at_ms):
            return
        counters = self._sources.pop(source, None) or Counters(self._every_s)
        self._sources[source] = counters  # the last one used is the last
        for old in list(self._sources)[:-_SOURCES]:
            del self._sources[old]
        rates = counters.read(page, at_ms)
        last_ms = self.last_ms
        if last_ms is None or at_ms - last_ms > MAX_GAP_MS:
            last_ms = at_ms
        self._add_services(page, rates, counters.counting, last_ms, at_ms)
        self._add_policies(page, rates, last_ms, at_ms)
        if self.last_ms is None or at_ms // MINUTE_MS != self.last_ms // MINUTE_MS:
            self._forget_gone(at_ms)
        self.last_ms = at_ms

    def demand(
        self,
        step_s: float = 1.0,
        steps: int | None = None,
        names: Sequence[str] | None = None,
        end_ms: int | None = None,
    ) -> Window:
        """Requests offered at a time: the most in each step.

        To the last page's second, or to the last whole minute before it, or to end_ms. Windows of
        names have these in their order; steps as `Store.window` has them. ValueError: no such step.
        """
        return self._window(self._demand, step_s, steps, names, end_ms)

    def rate(
        self,
        step_s: float = 1.0,
        steps: int | None = None,
        names: Sequence[str] | None = None,
        end_ms: int | None = None,
    ) -> Window:
        """New connections a second, the mean of each step; else as `demand`."""
        return self._window(self._rate, step_s, steps, names, end_ms)

    def bits(
        self,
        step_s: float = 1.0,
        steps: int | None = None,
        names: Sequence[str] | None = None,
        end_ms: int | None = None,
    ) -> Window:
        """Bits a second offered under each policy, the mean of each step; else as `demand`."""
        return self._window(self._bits, step_s, steps, names, end_ms)

    def service_times(self) -> dict[str, float]:
        """Seconds, where they could be measured."""
        times = self._little.service_times()
        known = np.flatnonzero(~np.isnan(times))
        return {self.services[place]: float(times[place]) for place in known}

    def talking(
        self, ends: Mapping[str, tuple[str | None, str | None]], within_s: int = 86_400
    ) -> frozenset[tuple[str, str]]:
        """Pairs (source, destination) that exchanged traffic, by the ends of policies.

        Only policies between two services say so. A pair without one is not counted by anybody.
        """
        pairs = [(policy, pair) for policy, pair in ends.items() if None not in pair]
        window = self._bits.minutes.window([policy for policy, _ in pairs], within_s // 60)
        active = np.any(window.values > 0, axis=1).tolist()
        return frozenset(
            (source, destination)
            for (_, (source, destination)), is_active in zip(pairs, active, strict=True)
            if is_active and source is not None and destination is not None
        )

    def fill(self, kind: str, window: Window) -> None:
        """History of "demand", "rate" or "bits", where nothing is known, by its steps.

        ValueError: no such kind, or no such steps.
        """
        if kind not in self.streams:
            raise ValueError(f"{kind}: there are {', '.join(self.streams)}")
        self.streams[kind].fill(window)
        roll = self._policies if kind == "bits" else self._services
        roll.note(window.names, window.end_ms)

    def _window(
        self,
        stream: Stream,
        step_s: float,
        steps: int | None,
        names: Sequence[str] | None,
        end_ms: int | None,
    ) -> Window:
        if end_ms is None and step_s == 60 and self.last_ms is not None:
            end_ms = self.last_ms // MINUTE_MS * MINUTE_MS
        return stream.of(step_s).window(names, steps, end_ms)

    def _follow_clock(self, at_ms: int) -> bool:
        """Whether a page of this time is one more; sets the clock back where it was."""
        if self.last_ms is None or at_ms > self.last_ms:
            return True
        back_ms = self.last_ms - at_ms
        if back_ms <= _BACK_MS:
            return False
        for stream in self.streams.values():
            stream.set_back(back_ms)
        for counters in self._sources.values():
            counters.begin_again()
        self.last_ms = None
        return True

    def _add_services(
        self, page: Page, rates: Mapping[str, Floats], counting: bool, last_ms: int, at_ms: int
    ) -> None:
        roll = self._services
        places = {
            metric: roll.places(metric, page.family(metric).series, at_ms)
            for metric in _SERVICE_METRICS
        }
        names = roll.names
        self._little.grow(len(names))
        inflight = sums(places[INFLIGHT], page.family(INFLIGHT).values, len(names))
        rate = sums(places[NEW_CONNECTIONS], rates[NEW_CONNECTIONS], len(names), empty=0.0)
        rate[~roll.seen_at(at_ms) | (not counting)] = np.nan
        live = np.zeros(len(names))
        for metric in LIVE:
            live += np.nan_to_num(sums(places[metric], rates[metric], len(names), empty=0.0))
        demand = self._little.demand(rate, live, inflight, (at_ms - last_ms) / 1000)
        self._rate.add(names, last_ms, at_ms, rate + live)
        self._demand.add(names, max(last_ms, at_ms - _HOLD_MS), at_ms, demand)

    def _add_policies(
        self, page: Page, rates: Mapping[str, Floats], last_ms: int, at_ms: int
    ) -> None:
        family = page.family(POLICY_BYTES)
        places = self._policies.places(POLICY_BYTES, family.series, at_ms)
        names = self._policies.names
        bits = 8 * sums(places, rates[POLICY_BYTES], len(names))
        self._bits.add(names, last_ms, at_ms, bits)

    def _forget_gone(self, at_ms: int) -> None:
        """What is in no page any more for a day, or is one of too many that are gone.

        A policy may be called as a service is.
        """
        services = _gone(self._services, at_ms)
        if services:
            self._demand.forget(services)
            self._rate.forget(services)
            self._little.grow(len(self._services.names))
            self._little.keep(self._services.drop(frozenset(services)))
        policies = _gone(self._policies, at_ms)
        if policies:
            self._bits.forget(policies)
            self._policies.drop(frozenset(policies))


def _gone(roll: Roll, at_ms: int) -> tuple[str, ...]:
    """Names to forget, each once."""
    old = roll.unseen_since(at_ms - _FORGET_MS)
    return tuple(dict.fromkeys(old + roll.longest_unseen(at_ms - _GONE_MS, MOST_GONE)))
