"""Quantiles around a point forecast, from the errors that the same rule made in the window.

A rule says what it would have forecast at the end of every step, so its past errors are known
without any state. With few errors a prior takes over: a spread in proportion to the forecast.

Must not know: which rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from predictor.models.contract import check_request, monotone
from predictor.series.window import Floats

ERRORS: Final = 60  # how many past errors count
PRIOR_ERRORS: Final = 10.0  # what the prior weighs, in errors; twice as many, and it is forgotten
PRIOR_SPREAD: Final = 0.5  # standard deviation over the forecast
_ANCHORS: Final = 3  # horizons whose errors are looked at; those between are interpolated

Rule = Callable[[int, int], Floats]
"""rule(horizon, count)[n, count]: what is forecast at the end of each of the last `count` steps,
for `horizon` steps later; NaN where nothing can be said."""


def forecast_by_rule(
    rule: Rule, values: Floats, horizons: Sequence[int], quantiles: Sequence[float]
) -> Floats:
    """As `Model.forecast`, of values[n, t] without gaps: the rule's points, its errors around."""
    check_request(horizons, quantiles)
    count, steps = values.shape
    answer = np.zeros((count, len(horizons), len(quantiles)))
    if not count or not steps:
        return answer
    points = np.column_stack([rule(each, 1)[:, -1] for each in horizons])
    offsets = {}
    for horizon in _anchors(horizons):
        reach = min(steps, ERRORS + horizon)
        made = rule(horizon, reach)[:, : max(reach - horizon, 0)]
        errors = values[:, steps - reach + horizon :] - made
        offsets[horizon] = spread(points[:, horizons.index(horizon)], errors, quantiles)
    for place, horizon in enumerate(horizons):
        answer[:, place] = np.nan_to_num(points[:, place])[:, None] + _at(offsets, horizon)
    return monotone(answer)


def spread(points: Floats, errors: Floats, quantiles: Sequence[float]) -> Floats:
    """[n, q]: quantiles of errors[n, any], which may be NaN; of the prior where they are few."""
    normal = np.array([NormalDist().inv_cdf(each) for each in quantiles])
    prior: Floats = PRIOR_SPREAD * np.nan_to_num(points)[:, None] * normal
    if not errors.shape[1]:
        return prior
    found, known = quantiles_of(errors, np.asarray(quantiles))
    weight = np.where(known >= 2 * PRIOR_ERRORS, 1.0, known / (known + PRIOR_ERRORS))
    mixed: Floats = weight[:, None] * found + (1 - weight[:, None]) * prior
    return mixed


def quantiles_of(samples: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Quantiles [n, q] of each row's known samples, 0 where there are none; how many [n]."""
    ordered = np.sort(samples, axis=1)  # NaN last
    rows, length = ordered.shape
    if not length or not np.isnan(ordered[:, -1]).any():
        return _of_known(ordered, levels), np.full(rows, float(length))
    count = length - np.isnan(ordered).sum(axis=1)
    last = np.maximum(count - 1, 0)[:, None]
    place = np.clip(levels * (count[:, None] + 1) - 1, 0, last)
    below = place.astype(np.intp)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
    found = low + (high - low) * (place - below)
    return np.where(count[:, None] > 0, found, 0.0), count.astype(np.float64)


def _of_known(ordered: Floats, levels: Floats) -> Floats:
    """The same where every sample is known: the places are those of all rows."""
    rows, length = ordered.shape
    if not length:
        return np.zeros((rows, len(levels)))
    place = np.clip(levels * (length + 1) - 1, 0, length - 1)
    below = place.astype(np.intp)
    low, high = ordered[:, below], ordered[:, np.minimum(below + 1, length - 1)]
    found: Floats = low + (high - low) * (place - below)
    return found


def _anchors(horizons: Sequence[int]) -> list[int]:
    ordered = sorted(set(horizons))
    if len(ordered) <= _ANCHORS:
        return ordered
    return [ordered[0], ordered[(len(ordered) - 1) // 3], ordered[-1]]


def _at(offsets: dict[int, Floats], horizon: int) -> Floats:
    if horizon in offsets:
        return offsets[horizon]
    below = max(each for each in offsets if each < horizon)
    above = min(each for each in offsets if each > horizon)
    share = (horizon - below) / (above - below)
    between: Floats = offsets[below] + (offsets[above] - offsets[below]) * share
    return between
