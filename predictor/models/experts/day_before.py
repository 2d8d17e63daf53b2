"""The load repeats what it was a day ago, at the level of now; without a day, its last mean.

The level of now is the mean of the last hour over that of the same hour a day ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from predictor.models.cleaning import filled
from predictor.models.contract import Model
from predictor.models.residuals import ERRORS, Rule, forecast_by_rule
from predictor.series.window import Floats, Window

_DAY_S: Final = 86_400
_LEVEL: Final = 60  # steps
_MEAN: Final = 5  # steps
_RATIO: Final = 2.0  # the level of now is at most so many times the day's, or the part


class DayBefore:
    """As `contract.Model`. A day must be a whole number of steps."""

    name = "day before"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """What stood in the same place a day before, times the ratio of the levels."""
        furthest = max(horizons, default=0)
        day = round(_DAY_S / window.step_s)
        recent = filled(window.last(ERRORS + furthest).values)
        start = window.steps - day - ERRORS - furthest
        if start < 0 or furthest > day:
            return forecast_by_rule(_mean(recent), recent, horizons, quantiles)
        before = filled(window.values[:, start : window.steps - day + furthest])
        ratio = _ratio(recent, before[:, : ERRORS + furthest])
        length = ERRORS + furthest

        def rule(horizon: int, count: int) -> Floats:
            found = before[:, length - count + horizon : length + horizon] * ratio[:, None]
            return np.where(np.isfinite(found), found, recent[:, length - count :])

        return forecast_by_rule(rule, recent, horizons, quantiles)


def _mean(values: Floats) -> Rule:
    """Of the last few steps."""
    steps = values.shape[1]
    places = np.arange(steps)
    mean = np.zeros_like(values)
    for back in range(_MEAN):
        mean += values[:, np.maximum(places - back, 0)] / _MEAN

    def rule(horizon: int, count: int) -> Floats:
        del horizon
        return mean[:, steps - count :]

    return rule


def _ratio(now: Floats, then: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = now[:, -_LEVEL:].mean(axis=1) / then[:, -_LEVEL:].mean(axis=1)
    return np.clip(np.where(np.isfinite(ratio), ratio, 1.0), 1 / _RATIO, _RATIO)


def model() -> Model:
    """The expert."""
    return DayBefore()
