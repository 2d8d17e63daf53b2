"""Which candidates hold: the parent's past lowers the child's loss on steps not learned from.

Owns: the test. Of each child the parent that correlates most is kept first; another must help
beside those kept, so that a parent's own parent, or a sibling, is not kept too.
Must not know: how candidates were found, rules, who asks.

A quantile regression of the child's load `lag` steps ahead on its own past is compared with one
that has the parent's past too, in two windows: the second and the last third of the steps, each
learned from all steps before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from predictor.dependencies.discover import Candidates, Integers
from predictor.dependencies.panel import GIVEN, LONG, Panel, own_periods, panel
from predictor.dependencies.quantile_fit import fit, pinball
from predictor.series.window import Floats

QUANTILE: Final = 0.95
MOST_PARENTS: Final = 3
_MOST_SAMPLES: Final = 1200
_FEWEST_SAMPLES: Final = 24  # of the first learning
_FARTHEST: Final = 3.0  # a forecast is at most so many times what was learned from
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """gains[k, 2]: by how much each candidate lowers the loss in either window, beside the parents
    kept for its child, as a share; NaN where a window says nothing (no load, no samples).
    kept: which of them hold."""

    gains: Floats
    kept: NDArray[np.bool_]


def validate(values: Floats, candidates: Candidates, min_gain: float) -> Verdicts:
    """Of the series [n, t] that the candidates' rows are of."""
    gains = np.full((len(candidates), 2), np.nan)
    kept = np.zeros(len(candidates), dtype=np.bool_)
    if not len(candidates):
        return Verdicts(gains, kept)
    trial = _trial(values, candidates)
    if trial is None:
        return Verdicts(gains, kept)
    open_ = np.arange(len(candidates))
    for _ in range(MOST_PARENTS):
        for i in range(0, len(open_), _AT_ONCE):
            some = open_[i : i + _AT_ONCE]
            gains[some] = trial.gains(some, kept)
        chosen = _closest_of_each_child(candidates.pick(open_), gains[open_], min_gain)
        if not chosen.any():
            break
        kept[open_[chosen]] = True
        open_ = open_[~chosen & np.isin(candidates.children[open_], candidates.children[kept])]
    return Verdicts(gains, kept)


def _closest_of_each_child(these: Candidates, gains: Floats, least: float) -> NDArray[np.bool_]:
    """Of those that gain enough in both windows, each child's most correlated."""
    enough = np.isfinite(gains).all(axis=1) & (gains >= least).all(axis=1)
    order = np.lexsort((-np.where(enough, these.correlations, -1.0), these.children))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = these.children[order][1:] != these.children[order][:-1]
    chosen = np.zeros(len(these), dtype=np.bool_)
    chosen[order[first]] = True
    return chosen & enough


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """The series, the candidates, and the steps at which forecasts are made."""

    seen: Panel
    candidates: Candidates
    periods: Integers
    times: Integers
    folds: tuple[tuple[slice, slice], ...]

    def gains(self, some: Integers, kept: NDArray[np.bool_]) -> Floats:
        """[k, 2]: beside the parents kept so far.

        The horizon is the shortest lag of all of them: what a kept parent tells as late as that
        is no news from one farther up.
        """
        these = self.candidates.pick(some)
        sooner = np.full(self.seen.values.shape[0], np.iinfo(np.int64).max)
        np.minimum.at(sooner, self.candidates.children[kept], self.candidates.lags[kept])
        ahead = np.minimum(these.lags, sooner[these.children])
        then = self.times[np.newaxis, :] + ahead[:, np.newaxis]
        rows = these.children[:, np.newaxis]
        targets, weights = self.seen.values[rows, then], self.seen.known[rows, then]
        own = self.seen.own(these.children, ahead, self.periods[these.children], self.times)
        base = np.concatenate([own, self._beside(these.children, ahead, kept)], axis=2)
        parents = self.seen.given(these.parents, ahead - these.lags, self.times)
        more = np.concatenate([base, parents], axis=2)
        found = [
            _gain((base, more), targets, weights, learned, scored) for learned, scored in self.folds
        ]
        return np.stack(found, axis=1)

    def _beside(self, children: Integers, ahead: Integers, kept: NDArray[np.bool_]) -> Floats:
        """The features of the parents kept for each child, as known that far ahead."""
        found = np.zeros((len(children), len(self.times), GIVEN * MOST_PARENTS))
        places = np.zeros(len(children), dtype=np.int64)
        theirs = np.isin(self.candidates.children, children)
        for one in np.flatnonzero(kept & theirs):
            at = np.flatnonzero(children == self.candidates.children[one])
            shifts = ahead[at] - self.candidates.lags[one]
            parents = np.full(len(at), self.candidates.parents[one])
            place = GIVEN * int(places[at[0]])
            found[at, :, place : place + GIVEN] = self.seen.given(parents, shifts, self.times)
            places[at] += 1
        return found[:, :, : GIVEN * int(places.max(initial=0))]


def _trial(values: Floats, candidates: Candidates) -> _Trial | None:
    """None where there are too few steps."""
    longest = int(candidates.lags.max())
    steps = values.shape[1]
    stride = max(1, steps // _MOST_SAMPLES)
    times = np.arange(LONG, steps - longest, stride)
    third, apart = len(times) // 3, -(-longest // stride)
    if third - apart < _FEWEST_SAMPLES:
        return None
    folds = (
        (slice(0, third - apart), slice(third, 2 * third)),
        (slice(0, 2 * third - apart), slice(2 * third, len(times))),
    )
    seen = panel(values)
    return _Trial(seen, candidates, own_periods(seen.values, steps // 3), times, folds)


def _gain(
    both: tuple[Floats, Floats], targets: Floats, weights: Floats, learned: slice, scored: slice
) -> Floats:
    """By how much the second features lower the loss of the first, as a share; NaN where there is
    no loss."""
    losses = []
    bound = _FARTHEST * targets[:, learned].max(axis=1, keepdims=True)
    for features in both:
        coefficients = fit(features[:, learned], targets[:, learned], weights[:, learned], QUANTILE)
        forecasts = np.einsum("bsk,bk->bs", features[:, scored], coefficients)
        forecasts = np.clip(forecasts, 0, bound)
        losses.append(pinball(targets[:, scored], forecasts, weights[:, scored], QUANTILE))
    loaded = (targets[:, scored] * weights[:, scored]).max(axis=1) > 0
    worth = np.isfinite(losses[0]) & (losses[0] > 1e-9) & loaded
    return np.where(worth, 1 - losses[1] / np.where(worth, losses[0], 1.0), np.nan)
