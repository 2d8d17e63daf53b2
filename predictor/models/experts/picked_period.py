"""The load repeats what it was one period ago; the period is picked for each series."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.models.cleaning import filled
from predictor.models.contract import Model
from predictor.models.periods import REACH, picked, repetition
from predictor.models.residuals import forecast_by_rule
from predictor.series.window import Floats, Window


class PickedPeriod:
    """As `contract.Model`."""

    name = "picked period"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """What stood in the same place one period before."""
        values = filled(window.last(REACH).values)
        rule = repetition(values, picked(values)[0], repeats=1)
        return forecast_by_rule(rule, values, horizons, quantiles)


def model() -> Model:
    """The expert."""
    return PickedPeriod()
