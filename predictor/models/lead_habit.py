"""Demand that comes and goes: what followed states like the present one.

The state is how long the demand has been away (below a share of its usual height). Of all earlier
moments in the same state, the quantile of the most demand within the lead time after them is taken.

Must not know: containers, plans.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

AWAY_FROM = np.array([0, 1, 4, 10, 20, 40, 80, 10**6])  # steps away: the edges of the states
STATES = AWAY_FROM.size - 1
AWAY_SHARE = 0.1  # of the usual height: below it demand is away
LEAST_AWAY = 0.1  # share of the time: less than this does not come and go
LEAST_SEEN = 30  # steps of demand before anything is learned
LEAST_CASES = 20  # of a state; below it is blended with all states


class Habits:
    """table[i, state]: demand to have room for; height[i]: below it demand is away."""

    def __init__(self, n: int) -> None:
        self._table: Floats = np.zeros((n, STATES))
        self._height: Floats = np.zeros(n)

    def taken(self, source: NDArray[np.int64]) -> Habits:
        """Of the services at source, -1 = a new one."""
        made = Habits(source.size)
        old = source >= 0
        made._table[old] = self._table[source[old]]
        made._height[old] = self._height[source[old]]
        return made

    def learn(
        self,
        rows: NDArray[np.int64],
        values: Floats,
        steps: NDArray[np.int64],
        quantile: Floats,
    ) -> None:
        """values[j]: the history of service rows[j], all known."""
        for j, row in enumerate(rows):
            self._table[row], self._height[row] = _habit(
                values[j], int(steps[j]), float(quantile[j])
            )

    def quantile(self, recent: Floats) -> Floats:
        """Given the youngest steps; 0 where demand does not come and go."""
        result = np.zeros(self._height.size)
        rows = np.flatnonzero(self._height)
        if rows.size == 0 or recent.shape[1] == 0:
            return result
        here = np.nan_to_num(recent[rows]) > self._height[rows, np.newaxis]
        away = np.argmax(here[:, ::-1], axis=1)
        away[~here.any(axis=1)] = recent.shape[1]
        state = np.searchsorted(AWAY_FROM, away, side="right") - 1
        result[rows] = self._table[rows, np.minimum(state, STATES - 1)]
        return result


def _habit(values: Floats, steps: int, quantile: float) -> tuple[Floats, float]:
    none = np.zeros(STATES), 0.0
    some = values[values > 0]
    if some.size < LEAST_SEEN or values.size < 2 * steps + LEAST_SEEN:
        return none
    height = AWAY_SHARE * float(np.quantile(some, 0.9))
    first = int(np.argmax(values > 0))
    seen = values[first:]
    here = seen > height
    if here.mean() > 1 - LEAST_AWAY:
        return none
    index = np.arange(seen.size)
    away = index - np.maximum.accumulate(np.where(here, index, 0))
    after = np.lib.stride_tricks.sliding_window_view(seen[1:], steps + 1).max(axis=1)
    state = np.searchsorted(AWAY_FROM, away[: after.size], side="right") - 1
    order = np.lexsort((after, state))
    ranked, edges = after[order], np.searchsorted(state[order], np.arange(STATES + 1))
    whole = _ranked_quantile(np.sort(after), quantile)
    table = np.full(STATES, whole)
    for k in range(STATES):
        cases = ranked[edges[k] : edges[k + 1]]
        if cases.size:
            trust = min(1.0, cases.size / LEAST_CASES)
            table[k] = trust * _ranked_quantile(cases, quantile) + (1 - trust) * whole
    return table, height


def _ranked_quantile(ranked: Floats, quantile: float) -> float:
    """Of sorted values, between neighbours."""
    place = quantile * (ranked.size - 1)
    low = int(place)
    high = min(low + 1, ranked.size - 1)
    return float(ranked[low] + (place - low) * (ranked[high] - ranked[low]))
