"""Forecasts that ours are compared with: the seasonal naive one, the last value, and MSTL + ETS of
statsforecast where that is installed.

Must not know: our models.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from predictor.models.cleaning import filled
from predictor.models.contract import Model, monotone
from predictor.models.residuals import forecast_by_rule
from predictor.series.window import Floats, Window

SEASON: Final = 60  # steps
_STEPS: Final = 360  # that MSTL looks at: its cost grows with them
_INTERVALS: Final = 100.0


class SeasonalNaive:
    """The load repeats what it was one season ago; errors of the window around it."""

    name = "seasonal naive"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """As `Model.forecast`; with less than a season, the oldest step known."""
        values = filled(window.last(3 * SEASON).values)
        steps = values.shape[1]

        def rule(horizon: int, count: int) -> Floats:
            ahead = (horizon - 1) % SEASON + 1
            places = np.arange(steps - count, steps) + ahead - SEASON
            return values[:, np.maximum(places, 0)]

        return forecast_by_rule(rule, values, horizons, quantiles)


class MstlEts:
    """MSTL with ETS for the trend, of statsforecast, a series at a time: slow."""

    name = "mstl+ets"

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """As `Model.forecast`."""
        models = import_module("statsforecast.models")  # optional
        values = np.nan_to_num(filled(window.last(_STEPS).values))
        answer = np.zeros((len(values), len(horizons), len(quantiles)))
        levels = sorted({round(_INTERVALS * abs(2 * each - 1), 6) for each in quantiles} - {0.0})
        for row, series in enumerate(values):
            model = models.MSTL([10, SEASON], models.AutoETS(model="ZZN"))
            made = model.forecast(series, h=max(horizons), level=levels)
            answer[row] = _quantiles(made, horizons, quantiles)
        return monotone(np.nan_to_num(answer))


def referees() -> tuple[tuple[Model, ...], dict[str, str]]:
    """Those that can run here; and the names of those that cannot, with the reason."""
    if find_spec("statsforecast") is None:
        return (SeasonalNaive(),), {MstlEts.name: "statsforecast is not installed"}
    return (SeasonalNaive(), MstlEts()), {}


def _quantiles(made: dict[str, Any], horizons: Sequence[int], quantiles: Sequence[float]) -> Floats:
    places = np.asarray(horizons) - 1
    columns = []
    for each in quantiles:
        level = f"{round(_INTERVALS * abs(2 * each - 1), 6):g}"
        key = "mean" if each == 0.5 else f"{'hi' if each > 0.5 else 'lo'}-{level}"
        found = made.get(key, made.get(key.replace(level, f"{float(level)}")))
        columns.append(np.asarray(found if found is not None else made["mean"])[places])
    return np.column_stack(columns)
