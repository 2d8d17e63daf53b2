"""Linear quantile regressions, many at once.

Owns: the fit and the pinball loss.
Must not know: what is regressed on what.

The fit is iteratively reweighted least squares on the pinball loss, smoothed near 0, as in Hunter
and Lange, Quantile Regression via an MM Algorithm (2000).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.series.window import Floats

_ROUNDS: Final = 20
_SMOOTH: Final = 0.02
_RIDGE: Final = 1e-4


def fit(features: Floats, targets: Floats, weights: Floats, quantile: float) -> Floats:
    """coefficients[b, k] of features[b, s, k] for targets[b, s], each sample of weight 0 or 1.

    Features and targets are to be of the size of 1; a feature that is always 0 gets 0.
    """
    count = features.shape[2]
    ridge = _RIDGE * np.eye(count) * max(1, features.shape[1])
    coefficients = np.zeros((len(features), count, 1))
    pull = np.ones_like(targets)
    turned = np.ascontiguousarray(np.swapaxes(features, 1, 2))
    for _ in range(_ROUNDS):
        weighed = turned * (pull * weights)[:, np.newaxis, :]
        coefficients = np.linalg.solve(
            weighed @ features + ridge, weighed @ targets[..., np.newaxis]
        )
        rests = targets - (features @ coefficients)[..., 0]
        sided = np.where(rests > 0, quantile, 1 - quantile)
        pull = sided / np.maximum(np.abs(rests), _SMOOTH)
    return np.asarray(coefficients[..., 0], dtype=np.float64)


def pinball(targets: Floats, forecasts: Floats, weights: Floats, quantile: float) -> Floats:
    """The mean loss of each row, over its samples of weight 1; NaN where there is none."""
    rests = targets - forecasts
    losses: Floats = np.maximum(quantile * rests, (quantile - 1) * rests) * weights
    samples = weights.sum(axis=1)
    means = np.full(len(samples), np.nan)
    np.divide(losses.sum(axis=1), samples, out=means, where=samples > 0)
    return means
