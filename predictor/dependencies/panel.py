"""What a child's next load is regressed on: its own past, and its parents' surges.

Owns: the features, for many (child, lag) or (parent, shift) pairs at once.
Must not know: the regression, how pairs were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from predictor.dependencies.discover import Integers
from predictor.series.window import Floats

SHORT: Final = 5
MIDDLE: Final = 10
LONG: Final = 30
OWN: Final = 8  # features of a child's own past
GIVEN: Final = 3  # features of a parent
_LEAST_PERIODIC: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Series [n, t] without gaps, each scaled to a mean square of 1, and their rolling views.

    known: 1 where the sample was known, else 0; scales: what each was divided by. From step t a
    view has what was known at the end of step t, and nothing later.
    """

    values: Floats
    known: Floats
    scales: Floats
    short_mean: Floats
    middle_most: Floats
    long_mean: Floats
    long_most: Floats

    @property
    def steps(self) -> int:
        """How many steps."""
        return int(self.values.shape[1])

    def own(self, children: Integers, lags: Integers, periods: Integers, times: Integers) -> Floats:
        """[b, s, OWN]: of each child at each time; the target is `lags` later.

        periods: of the child's own rhythm, in steps; 0 = none.
        """
        rows = children[:, np.newaxis]
        now = times[np.newaxis, :]
        usual = self.short_mean[rows, now]
        views = [
            np.ones_like(usual),
            self.values[rows, now],
            usual,
            self.middle_most[rows, now],
            self.long_mean[rows, now],
            self.long_most[rows, now],
            *self._a_period_ago(rows, now + lags[:, np.newaxis], now, periods, usual),
        ]
        return np.stack(views, axis=2)

    def _a_period_ago(
        self, rows: Integers, then: Integers, now: Integers, periods: Integers, usual: Floats
    ) -> tuple[Floats, Floats]:
        """What was one period before `then`: the sample, and the most of it and its neighbours."""
        whole = np.maximum(periods, 1)[:, np.newaxis]
        ahead = then - now
        back = then - whole * (-(-(ahead + 1) // whole))
        there = (back >= 1) & (periods[:, np.newaxis] > 0)
        at = np.maximum(back, 1)
        sample = np.where(there, self.values[rows, at], usual)
        after = np.minimum(at + 1, now)
        most = np.maximum(
            np.maximum(self.values[rows, at - 1], self.values[rows, after]), self.values[rows, at]
        )
        return sample, np.where(there, most, usual)

    def given(self, parents: Integers, shifts: Integers, times: Integers) -> Floats:
        """[b, s, GIVEN]: of each parent, `shifts` (0 or less) from each time."""
        rows = parents[:, np.newaxis]
        at = np.maximum(times[np.newaxis, :] + np.minimum(shifts, 0)[:, np.newaxis], 1)
        sample, before = self.values[rows, at], self.values[rows, at - 1]
        return np.stack([sample, before, np.maximum(sample - self.long_mean[rows, at], 0)], axis=2)


def panel(values: Floats) -> Panel:
    """Of samples as they came; an unknown one takes the last known value, or 0."""
    known = np.isfinite(values)
    filled = _carried_on(np.where(known, np.maximum(values, 0), 0.0), known)
    scales = np.sqrt(np.mean(filled**2, axis=1, keepdims=True))
    scaled = np.divide(filled, scales, out=np.zeros_like(filled), where=scales > 0)
    return Panel(
        scaled,
        known.astype(np.float64),
        scales[:, 0],
        _rolling_mean(scaled, SHORT),
        _rolling_most(scaled, MIDDLE),
        _rolling_mean(scaled, LONG),
        _rolling_most(scaled, LONG),
    )


def own_periods(values: Floats, longest: int) -> Integers:
    """The period at which each series resembles itself most, in steps; 0 where it does not."""
    steps = values.shape[1]
    longest = min(longest, steps // 3)
    if longest < 3:
        return np.zeros(len(values), np.int64)
    centred = values - values.mean(axis=1, keepdims=True)
    size = 1 << (2 * steps).bit_length()
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    alike = np.fft.irfft(power, axis=1)[:, : longest + 1]
    total = np.maximum(alike[:, :1], 1e-12)
    alike = alike / total * (steps / (steps - np.arange(longest + 1)))
    peak = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] > alike[:, 2:])
    heights = np.where(peak, alike[:, 1:-1], 0.0)
    best = np.argmax(heights, axis=1)
    enough = heights[np.arange(len(values)), best] >= _LEAST_PERIODIC
    return np.where(enough, best + 1, 0)


def _carried_on(values: Floats, known: NDArray[np.bool_]) -> Floats:
    at = np.where(known, np.arange(values.shape[1]), 0)
    np.maximum.accumulate(at, axis=1, out=at)
    return np.asarray(np.take_along_axis(values, at, axis=1))


def _rolling_mean(values: Floats, width: int) -> Floats:
    return np.asarray(_trailing(values, width).mean(axis=2))


def _rolling_most(values: Floats, width: int) -> Floats:
    return np.asarray(_trailing(values, width).max(axis=2))


def _trailing(values: Floats, width: int) -> Floats:
    """[n, t, width]: each step and those before it; before the first step, the first."""
    padded = np.concatenate([np.repeat(values[:, :1], width - 1, axis=1), values], axis=1)
    return sliding_window_view(padded, width, axis=1)
