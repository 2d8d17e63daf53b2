"""The load repeats the mean of the last three periods; the period is picked for each series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from predictor.models.cleaning import filled
from predictor.models.contract import Model
from predictor.models.periods import REACH, picked, repetition
from predictor.models.residuals import forecast_by_rule
from predictor.series.window import Floats, Window

_REPEATS: Final = 3


class PeriodMean:
    """As `contract.Model`."""

    name = "period mean"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """The mean of what stood in the same place one, two and three periods before."""
        values = filled(window.last(REACH).values)
        rule = repetition(values, picked(values)[0], _REPEATS)
        return forecast_by_rule(rule, values, horizons, quantiles)


def model() -> Model:
    """The expert."""
    return PeriodMean()
