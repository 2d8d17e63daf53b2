"""How many requests at a child one request at each parent brings.

Owns: the estimate. Child and parents are taken as departures from their own last half minute of
steps, so that slow waves they share do not count, and the child is regressed on its parents at
lags around the one that was found, all parents at once. Their sum is the slope, never below 0.
Must not know: how the parents were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from predictor.series.window import Floats

_LEVEL: Final = 30
_AROUND: Final = range(-1, 5)
_RIDGE: Final = 1e-3
_LEAST_SHARE: Final = 0.1  # of a standard deviation
MOST_SLOPE: Final = 1000.0


def slopes(values: Floats, child: int, parents: Sequence[tuple[int, int]]) -> list[float]:
    """Of each parent, (row, lag in steps); 0.0 where the samples do not tell, and where what it
    brings is but a small part of the child's ups and downs."""
    target = _departures(values[child])
    columns = [
        _later(_departures(values[row]), max(0, lag + around))
        for row, lag in parents
        for around in _AROUND
    ]
    features = np.stack(columns, axis=1)
    start = min(len(target), max((lag for _, lag in parents), default=0) + _AROUND.stop)
    features, target = features[start:], target[start:]
    gram = features.T @ features
    size = np.trace(gram) / max(1, len(gram))
    if size <= 0:
        return [0.0] * len(parents)
    found = np.linalg.solve(gram + _RIDGE * size * np.eye(len(gram)), features.T @ target)
    sums = found.reshape(len(parents), len(_AROUND)).sum(axis=1)
    spreads = features[:, :: len(_AROUND)].std(axis=0)
    small = sums * spreads < _LEAST_SHARE * target.std()
    return [float(each) for each in np.where(small, 0.0, np.clip(sums, 0.0, MOST_SLOPE))]


def _departures(series: Floats) -> Floats:
    """From the mean of the last steps; the same linear filter for all, so slopes stay."""
    filled = np.where(np.isfinite(series), np.maximum(series, 0), 0.0)
    sums = np.concatenate([[0.0], np.cumsum(filled)])
    at = np.arange(1, len(filled) + 1)
    first = np.maximum(at - _LEVEL, 0)
    return np.asarray(filled - (sums[at] - sums[first]) / (at - first))


def _later(series: Floats, lag: int) -> Floats:
    shifted = np.zeros_like(series)
    shifted[lag:] = series[: max(0, len(series) - lag)]
    return shifted
