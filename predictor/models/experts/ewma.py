"""The load goes back to its exponentially weighted mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.signal import lfilter

from predictor.models.cleaning import filled
from predictor.models.contract import Model
from predictor.models.residuals import ERRORS, forecast_by_rule
from predictor.series.window import Floats, Window

WEIGHT: Final = 0.15  # of the youngest step
_REACH: Final = 30  # steps before the first error that still count


class Ewma:
    """As `contract.Model`."""

    name = "ewma"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """The same mean for every horizon."""
        values = filled(window.last(_REACH + ERRORS + max(horizons, default=0)).values)
        mean = means(values)

        def rule(horizon: int, count: int) -> Floats:
            del horizon
            return mean[:, mean.shape[1] - count :]

        return forecast_by_rule(rule, values, horizons, quantiles)


def means(values: Floats) -> Floats:
    """[n, t]: up to each step. Weights of unknown steps are left out, not taken for no load."""
    known = np.isfinite(values)
    total = lfilter([WEIGHT], [1, WEIGHT - 1], np.where(known, values, 0.0), axis=1)
    if known.all():
        return np.asarray(total / (1 - (1 - WEIGHT) ** np.arange(1, values.shape[1] + 1)))
    weight = lfilter([WEIGHT], [1, WEIGHT - 1], known.astype(np.float64), axis=1)
    return np.where(weight > 0, total / np.maximum(weight, 1e-12), np.nan)


def model() -> Model:
    """The expert."""
    return Ewma()
