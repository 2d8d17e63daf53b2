"""How fast a series grows: Theil-Sen slopes, and how much growth is taken for noise. Pure.

The slope is the median of the slopes of all pairs of samples (Theil 1950, Sen 1968): a burst of
load in less than a quarter of the time does not move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import theilslopes

WARM_UP: Final = 1 / 3  # the part of the time that is not judged: caches and histories fill
FEWEST: Final = 8  # samples that a slope is told from
_HOUR_S: Final = 3600.0
_MOST: Final = 1000  # samples: pairs grow with their square


@dataclass(frozen=True, slots=True)
class Bound:
    """What may grow: the greatest of an amount and a part of the median, both an hour, and an
    amount in the whole time, which is how coarse the quantity is."""

    an_hour: float
    part_an_hour: float = 0.0
    in_all: float = 0.0

    def allowed(self, median: float, span_s: float) -> float:
        """The greatest slope an hour that passes."""
        whole = self.in_all * _HOUR_S / span_s if span_s > 0 else 0.0
        return max(self.an_hour, self.part_an_hour * median, whole)


@dataclass(frozen=True, slots=True)
class Trend:
    """Slopes are an hour; low and high: 95 % confidence, as if samples were independent."""

    name: str
    unit: str
    first: float
    median: float
    last: float
    slope: float
    low: float
    high: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        """Whether it grows no faster than it may."""
        return self.slope <= self.allowed

    @property
    def text(self) -> str:
        """One line, with the bound."""
        return (
            f"{self.name}: {self.slope:+.2f} {self.unit}/h"
            f" ({self.low:+.2f} to {self.high:+.2f}, allowed {self.allowed:.2f};"
            f" {self.first:.1f}, median {self.median:.1f}, {self.last:.1f})"
        )


def judged_since(times_s: Sequence[float]) -> float:
    """The time, of those given, from which on growth counts."""
    return times_s[0] + WARM_UP * (times_s[-1] - times_s[0])


def trend(
    name: str, unit: str, times_s: Sequence[float], values: Sequence[float], bound: Bound
) -> Trend | None:
    """The trend after the warm-up; None: too few samples to tell one.

    times_s: ascending, seconds from any time; the warm-up counts from the first.
    """
    times, sizes = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
    if times.size < FEWEST:
        return None
    judged = times >= judged_since(times_s)
    times, sizes = times[judged], sizes[judged]
    if times.size < FEWEST or times[-1] <= times[0]:
        return None
    taken = np.unique(np.linspace(0, times.size - 1, min(times.size, _MOST)).astype(int))
    slope, _, low, high = theilslopes(sizes[taken], times[taken] / _HOUR_S, 0.95)
    median = float(np.median(sizes))
    allowed = bound.allowed(median, float(times[-1] - times[0]))
    ends = float(sizes[0]), float(sizes[-1])
    return Trend(
        name, unit, ends[0], median, ends[1], float(slope), float(low), float(high), allowed
    )
