"""What the global model looks at: numbers without a unit, so that what it learns from some series
holds for series it never saw.

Every value is divided by the series' scale. The one number with a unit is the scale itself: counts
scatter more the fewer they are.

Must not know: which model reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from predictor.models.cleaning import filled
from predictor.models.contract import Places
from predictor.models.periods import picked
from predictor.series.window import Floats, Window

HISTORY: Final = 1500  # steps that count
_LAST: Final = 10
_MEANS: Final = (3, 5, 10, 20, 30, 60, 120, 240, 720)
_EXTREMES: Final = (5, 10, 30, 60, 240)
_LAGS: Final = (5, 10, 15, 20, 30, 60, 1440)
_PHASES: Final = (5, 15, 60)
CAP: Final = 50.0  # in scales; a forecast is read back within it


def features(window: Window, horizons: Sequence[int]) -> tuple[Floats, Floats]:
    """x[i, h, f] for each series and horizon, and the scale[i] that forecasts are in.

    A scale is 0 where nothing but zeros is known.
    """
    recent = window.last(HISTORY)
    known = filled(recent.values)
    scale = scales(known)
    values = np.nan_to_num(known)
    scaled = np.minimum(values / np.where(scale > 0, scale, 1.0)[:, None], CAP)
    shared = _shared(scaled, scale)
    period, error = picked(scaled)
    shared = np.column_stack([shared, period, error])
    x = np.empty((len(scaled), len(horizons), shared.shape[1] + _own_count()), dtype=np.float32)
    x[:, :, : shared.shape[1]] = shared[:, None, :]
    step = round(window.end_ms / (1000 * window.step_s))
    for place, horizon in enumerate(horizons):
        x[:, place, shared.shape[1] :] = _own(scaled, period, horizon, step)
    return x, scale


def scales(values: Floats) -> Floats:
    """[n]: the mean of the last hour of steps and of all, so that an hour of zeros does not make it
    tiny. Steps before the first known one, NaN, do not count: a new series is not a small one.
    """
    return 0.5 * (_mean_of_known(values[:, -60:]) + _mean_of_known(values))


def _mean_of_known(values: Floats) -> Floats:
    known = np.isfinite(values)
    found: Floats = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return found


def _shared(scaled: Floats, scale: Floats) -> Floats:
    """What holds for every horizon."""
    parts = [_tail(scaled, _LAST)]
    total = np.cumsum(scaled[:, ::-1], axis=1)
    steps = scaled.shape[1]
    for count in _MEANS:
        reach = min(count, steps)
        parts.append(total[:, reach - 1] / reach if reach else np.zeros(len(scaled)))
    for count in _EXTREMES:
        parts += [_reduced(np.max, scaled, count), _reduced(np.min, scaled, count)]
    parts += [_reduced(np.std, scaled, 60), _reduced(np.std, scaled, 10)]
    parts += [
        _reduced(np.mean, (scaled > 0).astype(np.float64), 60),
        _since(scaled),
        np.log10(scale + 1e-3),
    ]
    parts.append(np.full(len(scaled), float(min(steps, 240))))
    return np.column_stack(parts)


def _own_count() -> int:
    return 1 + len(_LAGS) + 2 + 4 + len(_PHASES)


def _own(scaled: Floats, period: Places, horizon: int, step: int) -> Floats:
    """What stood where the target stands, one period before, for several periods."""
    parts = [np.full(len(scaled), float(horizon))]
    parts += [_at(scaled, horizon - _periods(each, horizon)) for each in _LAGS]
    rows = np.arange(len(scaled))
    back = period * (1 + (horizon - 1) // period)
    for repeat in (0, 1):
        column = scaled.shape[1] - 1 + horizon - back - repeat * period
        found = scaled[rows, np.maximum(column, 0)] if scaled.shape[1] else np.zeros(len(scaled))
        parts.append(np.where(column >= 0, found, np.nan))
    parts += [_at(scaled, horizon - each) for each in (59, 61, 120, 180)]
    parts += [np.full(len(scaled), float((step + horizon) % each)) for each in _PHASES]
    return np.column_stack(parts)


def _periods(period: int, horizon: int) -> int:
    return period * (1 + (horizon - 1) // period)


def _at(scaled: Floats, after: int) -> Floats:
    """The values so many steps after the last one (negative: before); NaN where there is none."""
    column = scaled.shape[1] - 1 + after
    if column < 0 or after > 0:
        return np.full(len(scaled), np.nan)
    return scaled[:, column]


def _tail(scaled: Floats, count: int) -> Floats:
    found = np.full((len(scaled), count), np.nan)
    reach = min(count, scaled.shape[1])
    if reach:
        found[:, count - reach :] = scaled[:, -reach:]
    return found


def _reduced(how: Callable[..., Any], scaled: Floats, count: int) -> Floats:
    if not scaled.shape[1]:
        return np.zeros(len(scaled))
    found: Floats = how(scaled[:, -count:], axis=1)
    return found


def _since(scaled: Floats) -> Floats:
    """Steps since the last load, on a logarithmic scale."""
    steps = scaled.shape[1]
    if not steps:
        return np.zeros(len(scaled))
    loaded = scaled[:, ::-1] > 0
    first = np.where(loaded.any(axis=1), loaded.argmax(axis=1), steps)
    found: Floats = np.log1p(first.astype(np.float64))
    return found
