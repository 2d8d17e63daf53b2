"""Rates of counters, from the last two readings of each.

Switches are read at the controller's pace, pages at their reader's: the time between two values of
a counter is that between the readings of its switch, which the page tells. So a rate is exact,
however the two paces fall.

Must not know: what the counters count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from predictor.series.scrape import Family, Labels, Page
from predictor.series.window import Floats
from prewire.readings.wanted import COUNTERS, OWN_COUNTERS, READ_AT

OLDEST_S: Final = 30.0  # a rate that ended longer ago is none any more; or four readings
LONGEST_S: Final = 300.0  # over more time it says nothing of now
_SILENT_S: Final = 30.0  # a switch not read for so long is not waited for

_NOTHING: Final = np.empty(0)


@dataclass(slots=True, eq=False)
class _Counter:
    """The last two readings of every series: times (seconds since 1970) and values."""

    series: tuple[Labels, ...] = ()
    at: Floats = field(default_factory=lambda: _NOTHING)
    value: Floats = field(default_factory=lambda: _NOTHING)
    at_before: Floats = field(default_factory=lambda: _NOTHING)
    before: Floats = field(default_factory=lambda: _NOTHING)

    def read(self, family: Family, at: Floats) -> None:
        """A page's values; at[i]: when that of series i was read, NaN where that is not known."""
        if family.series is not self.series:
            self._rearrange(family.series)
        newer = ~(at <= self.at)  # also where it was never read
        newer &= ~np.isnan(at)
        self.at_before[newer], self.before[newer] = self.at[newer], self.value[newer]
        self.at[newer], self.value[newer] = at[newer], family.values[newer]

    def rates(self, now: float) -> dict[Labels, float]:
        """By series; those that are not known, or start again, are left out."""
        took = self.at - self.at_before
        grown = self.value - self.before
        known = (took > 0) & (took <= LONGEST_S) & (grown >= 0)
        known &= now - self.at <= np.maximum(OLDEST_S, 4 * took)
        return {self.series[i]: float(grown[i] / took[i]) for i in np.flatnonzero(known)}

    def _rearrange(self, series: tuple[Labels, ...]) -> None:
        places = {name: place for place, name in enumerate(self.series)}
        known = [places.get(name, -1) for name in series]
        for name in ("at", "value", "at_before", "before"):
            old = np.append(getattr(self, name), np.nan)  # the last is for new series
            setattr(self, name, old[known] if known else _NOTHING.copy())
        self.series = series


class Rates:
    """Of the counters on the pages of one controller."""

    def __init__(self) -> None:
        self._round_at = float("-inf")  # when the last switch of the last whole round was read
        self._counters = {name: _Counter() for name in (*COUNTERS, *OWN_COUNTERS)}

    def read(self, page: Page, at: float) -> None:
        """A page as it was at that time (seconds since 1970), later than the one before."""
        read_at = _read_at(page)
        whole = self._round(read_at.values())
        for name, labels in COUNTERS.items():
            family = page.family(name)
            if "switch" in labels:
                place = labels.index("switch")
                times = np.array([read_at.get(each[place], np.nan) for each in family.series])
            else:
                times = np.full(len(family.series), whole)
            self._counters[name].read(family, times)
        for name in OWN_COUNTERS:
            family = page.family(name)
            self._counters[name].read(family, np.full(len(family.series), at))

    def of(self, metric: str, now: float) -> dict[Labels, float]:
        """A second, by the labels of the series, where they are known."""
        return self._counters[metric].rates(now)

    def _round(self, times: Collection[float]) -> float:
        """When all switches had been read, if they were read in one round; else NaN.

        The controller asks all of them at once: answers of one round are close to each other.
        """
        newest = max(times, default=float("-inf"))
        oldest = min((at for at in times if newest - at <= _SILENT_S), default=newest)
        if newest <= self._round_at or newest - oldest > (newest - self._round_at) / 2:
            return float("nan")
        self._round_at = newest
        return newest


def _read_at(page: Page) -> Mapping[str, float]:
    """When each switch was read."""
    family = page.family(READ_AT)
    return {labels[0]: float(at) for labels, at in zip(family.series, family.values, strict=True)}
