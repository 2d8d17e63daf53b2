"""The period that a series repeats itself with, picked from a few that schedules have.

Must not know: calendars; a period is a number of steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from predictor.models.contract import Places
from predictor.models.residuals import ERRORS, Rule
from predictor.series.window import Floats

PERIODS: Final = (1, 2, 3, 5, 10, 15, 20, 30, 60)
LOOKBACK: Final = 240  # steps whose errors decide
REACH: Final = LOOKBACK + PERIODS[-1]  # of a window, more is not looked at
_CHUNK: Final = 250  # series at a time: what fits a processor's cache
_FEWEST: Final = 3  # periods that must be there


def picked(values: Floats) -> tuple[Places, Floats]:
    """The period of each row [n], 1 where nothing is known, and its mean error [n].

    values[n, t] without gaps; NaN before the first known.
    """
    count = len(values)
    best, least = np.ones(count, dtype=np.intp), np.zeros(count)
    recent = values[:, max(values.shape[1] - REACH, 0) :]
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        best[part], least[part] = _picked(recent[part].astype(np.float32))
    return best, least


def repetition(values: Floats, period: Places, repeats: int) -> Rule:
    """The mean of what stood where the target stands, one to `repeats` periods before.

    Where the window does not reach so far back, the furthest repeat that it does reach.
    """
    steps = values.shape[1]
    short = values[:, max(steps - (repeats + 1) * PERIODS[-1] - ERRORS, 0) :]
    length = short.shape[1]
    flat = np.ascontiguousarray(short).ravel()
    rows = length * np.arange(len(short))
    longest = int(period.max(initial=1)) * repeats

    def rule(horizon: int, count: int) -> Floats:
        ends = np.arange(length - count, length)
        ahead = (horizon - 1) % period + 1
        made = np.zeros((len(short), count))
        nearest = np.zeros((len(short), count), dtype=np.intp)
        for repeat in range(1, repeats + 1):
            places = (rows + ahead - period * repeat)[:, None] + ends
            if longest > length - count:  # else every place is in the window
                if repeat > 1:
                    places = np.where(places < rows[:, None], nearest, places)
                nearest = places = np.maximum(places, rows[:, None])
            made += flat.take(places)
        return made / repeats if repeats > 1 else made

    return rule


def _picked(values: NDArray[np.float32]) -> tuple[Places, Floats]:
    steps = values.shape[1]
    periods = [each for each in PERIODS if each == 1 or _FEWEST * each <= steps]
    errors = np.full((len(periods), len(values)), np.inf)
    for place, period in enumerate(periods):
        count = min(LOOKBACK, steps - period)
        if count > 0:
            early = values[:, steps - count - period : steps - period]
            error = np.abs(values[:, steps - count :] - early)
            errors[place] = np.add.reduce(error, axis=1) / count
            unknown = np.flatnonzero(np.isnan(errors[place]))
            if unknown.size:
                errors[place, unknown] = _mean_of_known(error[unknown])
    chosen = errors.argmin(axis=0)
    least = errors[chosen, np.arange(len(values))]
    return np.array(periods, dtype=np.intp)[chosen], np.where(np.isfinite(least), least, 0.0)


def _mean_of_known(error: NDArray[np.float32]) -> Floats:
    known = np.isfinite(error)
    counted = known.sum(axis=1)
    total = np.where(known, error, 0.0).sum(axis=1, dtype=np.float64)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.inf)
