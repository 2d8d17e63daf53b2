"""What demand is now, how it varies and grows: a quantile of the most within the lead time.

Demand is taken as a noisy level whose variance is proportional to it (Poisson arrivals: equal). The
level is the mean of the last LONG steps, or of fewer where these differ from it by more than noise
explains; the proportion comes from differences of steps some steps apart, so that steps of the
level do not count as noise.

Must not know: periods, containers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from predictor.series.window import Floats

LONG, MIDDLE, SHORT = 90, 15, 3  # steps
APART = 3  # steps between two samples that are compared
LEAST_DISPERSION = 0.02
MOST_GROWTH = 2.0  # times the level, within the lead time
SIGNIFICANT = 2.5  # standard errors


def level_quantile(
    recent: Floats, steps: NDArray[np.int64], quantile: Floats
) -> tuple[Floats, Floats]:
    """[service, step] -> (quantile of the most within `steps`, the load now). NaN = unknown."""
    n, length = recent.shape
    if length == 0:
        return np.zeros(n), np.zeros(n)
    values = filled(recent)
    long = values[:, -LONG:].mean(axis=1)
    middle = values[:, -MIDDLE:].mean(axis=1)
    short = values[:, -SHORT:].mean(axis=1)
    now = values[:, -2:].max(axis=1)
    ratio = _dispersion(values, long)
    error = np.sqrt(ratio * np.maximum(long, middle))
    level = _level(long, middle, short, error)
    growth = _growth(values, error) * steps
    level = level + np.clip(growth, 0.0, (MOST_GROWTH - 1) * level)
    z = ndtri(quantile ** (1.0 / (1.0 + steps / 2.0)))
    spread = z * np.sqrt(ratio * level) + ratio * np.maximum(z * z - 1, 0) / 6
    return np.maximum(level + np.where(level > 0, spread, 0.0), 0.0), now


def filled(values: Floats) -> Floats:
    """Unknown steps are as the last known one before; before all known ones, as the first one."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    where = np.where(unknown, 0, np.arange(values.shape[1]))
    first = np.argmax(~unknown, axis=1)
    where = np.maximum(np.maximum.accumulate(where, axis=1), first[:, np.newaxis])
    return np.nan_to_num(np.take_along_axis(values, where, axis=1))


def _level(long: Floats, middle: Floats, short: Floats, error: Floats) -> Floats:
    fall = middle + SIGNIFICANT * error / np.sqrt(MIDDLE / 2) < long
    level = np.where(fall, middle, long)
    for mean, steps in ((middle, MIDDLE), (short, SHORT)):
        rise = mean - SIGNIFICANT * error / np.sqrt(steps / 2) > level
        level = np.where(rise, mean, level)
    return level


def _growth(values: Floats, error: Floats) -> Floats:
    """Per step, where it is more than noise: what the last seconds are above those before."""
    half = 5
    if values.shape[1] < 2 * half:
        return np.zeros(values.shape[0])
    rise = values[:, -half:].mean(axis=1) - values[:, -2 * half : -half].mean(axis=1)
    return np.where(rise > SIGNIFICANT * error * np.sqrt(2 / half), rise / half, 0.0)


def _dispersion(values: Floats, mean: Floats) -> Floats:
    """Variance over mean."""
    if values.shape[1] <= APART:
        return np.ones(values.shape[0])
    difference = values[:, APART:] - values[:, :-APART]
    variance = 0.5 * np.mean(difference * difference, axis=1)
    whole = values.mean(axis=1)
    ratio = variance / np.maximum(np.maximum(whole, mean * 0.5), 1e-9)
    return np.where(whole > 0, np.maximum(ratio, LEAST_DISPERSION), LEAST_DISPERSION)
