"""The rates of policies, planned a minute and a lead time ahead.

The minute's forecast knows days and weeks; that of seconds knows what comes within the lead time,
surges with a period of seconds among it. A plan has the higher of both; where the seconds show a
period they alone count, for they say when in the minute it comes.

Must not know: links, who admits a plan, how rows are written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from nib.plans import RatePlan
from nib.prewarm import Provisioning
from nib.qos import MAX_RATE_BPS, MIN_RATE_BPS
from predictor.models.lead import VIEWS, History, LeadModel
from predictor.outward.views import POLICY, ForecastView
from predictor.planning.bandwidth import Bandwidth, BandwidthChoice, Rates
from predictor.running.decided import VALID_MS
from predictor.series.window import Window

HOLD_MS: Final = 5_000  # a rate is kept for so long after the last need
_KNOWN_S: Final = 30  # seconds of a policy's traffic, before it is planned for
_REACHED: Final = 0.95  # of a limit, at which it counts as reached
_MORE: Final = 1.5  # times it are planned then
_TREES_EVERY: Final = 240  # minutes
_MINUTE_S: Final = 60.0
_STEP: Final = 1.05  # between one rate and the next higher
_DEAD_BAND: Final = 0.1  # of a rate, by which it must fall to be lowered


@dataclass(frozen=True, slots=True)
class _Held:
    bps: float
    until_ms: int
    reason: str


class RatePlanner:
    """Of the policies that have a provisioning."""

    def __init__(self, lead_s: float) -> None:
        """lead_s: how long before the need a rate is to be there."""
        self._lead_s = lead_s
        self._minutes = Bandwidth(
            step_s=_MINUTE_S, choice=BandwidthChoice(trees=True, trees_every=_TREES_EVERY)
        )
        self._seconds = LeadModel()
        self._coarse: Rates | None = None
        self._forecasts: tuple[ForecastView, ...] = ()
        self._held: dict[str, _Held] = {}

    def learn_minute(self, bits: Window, limits: Mapping[str, Provisioning]) -> None:
        """Once a minute: bit rates by minutes."""
        self._coarse = self._minutes.plan(bits, limits)
        self._forecasts = tuple(_forecasts(self._coarse, limits, bits.end_ms))

    def forecasts(self) -> tuple[ForecastView, ...]:
        """By minutes, one a policy that is known; of its own quantile, in bits a second."""
        return self._forecasts

    def remember(self, plans: Iterable[RatePlan]) -> None:
        """Plans of before, perhaps of another predictor: they hold until enough is known."""
        for plan in plans:
            bps = plan.max_bps or plan.guaranteed_bps
            if bps is not None:
                self._held.setdefault(plan.policy, _Held(bps, plan.made_ms, plan.reason))

    def plan(
        self,
        bits: Window,
        limits: Mapping[str, Provisioning],
        in_force: Mapping[str, int],
        history: History,
        now_ms: int,
        *,
        is_stale: bool,
    ) -> tuple[RatePlan, ...]:
        """bits: bits a second by seconds, of just the policies that have limits. in_force: what
        policies may have at most now, bits a second, where they have a limit. history: more
        seconds of the policies named. is_stale: metrics are missing; plans stay as they are.

        A policy that little is known of yet has no plan: it has its own rates. Senders that keep to
        a limit offer no more than it: where it is reached, more is planned.
        """
        quantiles = np.array([limits[name].quantile_permille / 1000 for name in bits.names])
        lead = self._seconds.step(bits, self._lead_s, quantiles, history, now_ms)
        coarse = self._by_minutes()
        wanted: dict[str, _Held] = {}
        is_known = np.isfinite(bits.values).sum(axis=1) >= _KNOWN_S
        for row, name in enumerate(bits.names):
            if not is_known[row] and name not in self._held:
                continue
            limit = limits[name]
            soon = float(lead.demand[row]) * (1 + limit.headroom_percent / 100)
            view = VIEWS[int(lead.view[row])]
            need = (soon, f"{view} of the next {self._lead_s:.0f} s")
            limit_bps = in_force.get(name)
            if limit_bps is not None and lead.now[row] >= _REACHED * limit_bps:
                need = max(
                    need, (_MORE * limit_bps, "the limit is reached, and hides what is more")
                )
            by_minutes = (0.0, "") if lead.period_s[row] else coarse.get(name, (0.0, ""))
            bps, reason = max(need, by_minutes)
            is_kept = is_stale or not is_known[row]
            wanted[name] = self._hold(name, bps, reason, now_ms, is_kept)
        self._held = wanted
        return tuple(
            _plan(limits[name], held, now_ms, is_stale) for name, held in self._held.items()
        )

    def _by_minutes(self) -> Mapping[str, tuple[float, str]]:
        if self._coarse is None:
            return {}
        coarse = self._coarse
        return {
            name: (float(coarse.bps[row]), coarse.reason(row))
            for row, name in enumerate(coarse.names)
        }

    def _hold(self, name: str, bps: float, reason: str, now_ms: int, is_kept: bool) -> _Held:
        """What is needed; or what was needed a while ago, where that was more; or the last, where
        too little is known."""
        held, bps = self._held.get(name), _in_steps(bps)
        if held is None or (bps >= held.bps and not is_kept):
            return _Held(bps, now_ms + HOLD_MS, reason)
        if is_kept or now_ms < held.until_ms or bps > held.bps * (1 - _DEAD_BAND):
            return held
        return _Held(bps, now_ms, reason)


def _in_steps(bps: float) -> float:
    """The next step at or above it: meters need not follow every bit."""
    return _STEP ** math.ceil(math.log(bps, _STEP) - 1e-9) if bps > 1 else 0.0


def _forecasts(
    rates: Rates, limits: Mapping[str, Provisioning], made_ms: int
) -> Iterator[ForecastView]:
    for row in np.flatnonzero(np.isfinite(rates.forecast)):
        name = rates.names[row]
        quantile = limits[name].quantile_permille / 1000
        yield ForecastView(
            POLICY,
            name,
            made_ms,
            _MINUTE_S,
            horizons=(1,),
            quantiles=(quantile,),
            values=rates.forecast[row].reshape(1, 1),
            model="bandwidth",
            unit="bps",
            stale=bool(rates.stale[row]),
        )


def _plan(limit: Provisioning, held: _Held, now_ms: int, is_stale: bool) -> RatePlan:
    ceiling_bps = limit.ceiling_bps or MAX_RATE_BPS
    bps = round(min(max(held.bps, limit.floor_bps, MIN_RATE_BPS), ceiling_bps))
    is_limited = bps != round(held.bps)
    return RatePlan(
        limit.policy,
        now_ms,
        now_ms + VALID_MS,
        "limit" if is_limited else "forecast",
        max_bps=bps if limit.rates in {"max", "both"} else None,
        guaranteed_bps=bps if limit.rates in {"guaranteed", "both"} else None,
        reason=held.reason,
        stale=is_stale,
        made_ms=now_ms,
    )
