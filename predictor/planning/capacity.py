"""How many containers each service is to have, from its load and what is expected of it.

Wanted is the most of: the load now, the quantile of the lead time, the minute forecast, what
parents' surges bring, and the keep-alive; divided by what a container takes, then held for a while,
and kept within the service's limits and a multiple of the most demand ever observed.
A service whose metrics are missing keeps its plan, or more; after a while that plan is stale.

Must not know: forecasts' making, schedules and overrides (merge.py), who starts containers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nib.prewarm import Scaling
from predictor.planning.hold import Hold
from predictor.series.window import Floats, Window

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STALE_AFTER_MS = 15_000
MOST_OVER_OBSERVED = 4.0  # a plan is at most so many times what was ever needed

LOAD, FORECAST, MINUTE, DEPENDENCY, KEEP_ALIVE, HOLD, MINIMUM, MAXIMUM, MISSING = range(9)
SOURCES = (
    "load", "forecast", "forecast", "dependency", "keep-alive", "load", "limit", "limit", "load",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Of each service: demand that a container takes; seconds of hold; fewest, most containers."""

    takes: Floats
    hold_s: Floats
    least: Ints
    most: Ints

    @staticmethod
    def of(scalings: Sequence[Scaling]) -> Limits:
        """A container is filled to its target, but always takes one request."""
        return Limits(
            np.array([max(1.0, s.concurrency * s.target_percent / 100) for s in scalings]),
            np.array([float(s.hold_seconds) for s in scalings]),
            np.array([s.min_containers for s in scalings], dtype=np.int64),
            np.array([s.max_containers for s in scalings], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Demand (concurrent requests) of each service: now; the quantile of the lead time; the most
    ever observed; of the next minutes; what parents add; NaN or None = nothing said.
    warm: is to have one container even without demand. known_ms: end of the last known step."""

    now: Floats
    lead: Floats
    most: Floats
    known_ms: Ints
    minute: Floats | None = None
    boost: Floats | None = None
    warm: Bools | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Capacities:
    """Containers of each service and what decided it (an index of SOURCES); need: before the hold;
    asked, because: the same as containers and why, before the service's limits; stale: by metrics
    that have been missing for a while."""

    names: tuple[str, ...]
    containers: Ints
    need: Ints
    asked: Ints
    why: NDArray[np.int8]
    because: NDArray[np.int8]
    stale: Bools
    expected: Expected
    limits: Limits

    def source(self, i: int) -> str:
        """One of nib.plans.SOURCES."""
        return SOURCES[int(self.why[i])]

    def reason(self, i: int) -> str:
        """For people, in a line."""
        return _reason(self, i)


class Capacity:
    """Keeps each service's last plan and what it is held by."""

    def __init__(self, stale_after_ms: int = STALE_AFTER_MS) -> None:
        self._names: tuple[str, ...] = ()
        self._index: dict[str, int] = {}
        self._stale_after_ms = stale_after_ms
        self._hold = Hold(0)
        self._plan: Ints = np.zeros(0, dtype=np.int64)
        self._known_ms: Ints = np.zeros(0, dtype=np.int64)
        self._remembered: dict[str, int] = {}

    def step(
        self, names: tuple[str, ...], expected: Expected, limits: Limits, now_ms: int
    ) -> Capacities:
        """A plan for every service. now_ms: milliseconds since 1970; it may jump."""
        self._follow(names)
        need, why = _need(expected, limits)
        held = self._hold.step(need, limits.hold_s, now_ms)
        why = np.where(held > need, HOLD, why).astype(np.int8)
        is_old = now_ms - expected.known_ms >= self._stale_after_ms  # such as only history
        missing = is_old | (expected.known_ms <= self._known_ms)
        self._recall(missing)
        kept = missing & (self._plan > held)
        planned = np.where(kept, self._plan, held)
        why[kept] = MISSING
        because = why.copy()
        wanted = np.minimum(np.maximum(planned, limits.least), limits.most)
        why[wanted > planned], why[wanted < planned] = MINIMUM, MAXIMUM
        self._known_ms = np.maximum(self._known_ms, np.minimum(expected.known_ms, now_ms))
        stale = missing & (now_ms - self._known_ms >= self._stale_after_ms)
        self._plan = wanted
        return Capacities(names, wanted, need, planned, why, because, stale, expected, limits)

    def remember(self, plans: dict[str, int]) -> None:
        """Plans of a predecessor, by service: kept while there are no metrics of it yet."""
        self._remembered.update(plans)

    def _recall(self, missing: Bools) -> None:
        for name, containers in self._remembered.items():
            if name in self._index and missing[self._index[name]]:
                self._plan[self._index[name]] = max(self._plan[self._index[name]], containers)
        self._remembered = {n: c for n, c in self._remembered.items() if n not in self._index}

    def _follow(self, names: tuple[str, ...]) -> None:
        if names is self._names or names == self._names:
            return
        known = {name: i for i, name in enumerate(self._names)}
        source = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        old = source >= 0
        for field in ("_plan", "_known_ms"):
            values = np.zeros(len(names), dtype=np.int64)
            values[old] = getattr(self, field)[source[old]]
            setattr(self, field, values)
        self._hold = self._hold.taken(source)
        self._names = names
        self._index = {name: i for i, name in enumerate(names)}


def known_until(window: Window) -> Ints:
    """When the last known step of each series ended, ms since 1970; 0 where none is known."""
    known = np.isfinite(window.values)
    if window.steps == 0:
        return np.zeros(len(window.names), dtype=np.int64)
    behind = np.argmax(known[:, ::-1], axis=1)
    until = window.end_ms - np.round(behind * window.step_s * 1000).astype(np.int64)
    return np.where(known.any(axis=1), until, 0)


def _need(expected: Expected, limits: Limits) -> tuple[Ints, NDArray[np.int8]]:
    """Containers and what asks for them, before hold and limits."""
    now = _finite(expected.now)
    demands = np.stack(
        (now, _finite(expected.lead), _finite(expected.minute, now), _finite(expected.boost, now))
    )
    why = np.argmax(demands, axis=0).astype(np.int8)
    most = np.maximum(_finite(expected.most), now)
    bound = np.maximum(1.0, np.ceil(MOST_OVER_OBSERVED * most / limits.takes))
    need = np.minimum(np.ceil(demands.max(axis=0) / limits.takes - 1e-6), bound).astype(np.int64)
    if expected.warm is not None:
        cold = expected.warm & (need == 0)
        need[cold], why[cold] = 1, KEEP_ALIVE
    return need, why


def _finite(values: Floats | None, like: Floats | None = None) -> Floats:
    if values is None:
        return np.zeros(0 if like is None else like.size)
    return np.maximum(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), 0.0)


def _reason(capacities: Capacities, i: int) -> str:
    cause, because = int(capacities.why[i]), _cause(capacities, i)
    if cause == MAXIMUM:
        return f"at most {capacities.limits.most[i]} of {capacities.asked[i]}: {because}"
    return f"at least {capacities.limits.least[i]}" if cause == MINIMUM else because


def _cause(capacities: Capacities, i: int) -> str:
    expected, limits = capacities.expected, capacities.limits
    takes = f"{limits.takes[i]:g} a container"
    texts = {
        LOAD: f"load now {expected.now[i]:.1f}, {takes}",
        FORECAST: f"up to {expected.lead[i]:.1f} within the lead time, {takes}",
        MINUTE: f"up to {_at(expected.minute, i):.1f} in the next minutes, {takes}",
        DEPENDENCY: f"a parent's surge brings up to {_at(expected.boost, i):.1f}, {takes}",
        KEEP_ALIVE: "a call is likely soon",
        HOLD: f"held for {limits.hold_s[i]:g} s after the last need",
        MISSING: "metrics are missing: the last plan is kept",
    }
    return texts[int(capacities.because[i])]


def _at(values: Floats | None, i: int) -> float:
    return 0.0 if values is None else float(values[i])
