"""The keep-alive policies that the back-test of rarely called services compares.

Each is told step by step who was called, and says how much it wants each service warm next.

Must not know: what is scored.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from predictor.planning.keepalive import KeepAlive, KeepAliveChoice
from predictor.planning.table import Flags, Rows
from predictor.series.window import Floats

_NEVER: Final = 1e9
_FEW_GAPS: Final = 5
_REPRESENTATIVE: Final = 2.0


class Keeper(Protocol):
    """A policy over a fixed list of services."""

    def score(self) -> Floats:
        """For the next step, by service: warm where it is at least the threshold."""

    def observe(self, called: Flags) -> None:
        """Who was called in that step."""


class FixedKeepAlive:
    """Warm for so many steps after the last call; scores are 0 and 1."""

    def __init__(self, services: int, steps: int) -> None:
        self._steps = steps
        self._age = np.full(services, _NEVER)

    def score(self) -> Floats:
        """See Keeper."""
        return (self._age < self._steps).astype(np.float64)

    def observe(self, called: Flags) -> None:
        """See Keeper."""
        self._age = np.where(called, 0, self._age + 1)


class HybridHistogram:
    """Serverless in the Wild: a histogram of gaps up to `steps`, one bin a step, of each service.

    Gone after a call until the 5th percentile of its gaps less 10 %, then warm to the 99th and 10 %
    more. Where the histogram does not stand out (variation of its bins below 2), has fewer than 5
    gaps, or most gaps are longer: warm for `steps`. Scores are 0 and 1.
    """

    def __init__(self, services: int, steps: int) -> None:
        self._steps = steps
        self._gaps = np.zeros((services, steps + 1))
        self._longer = np.zeros(services)
        self._age = np.full(services, _NEVER)
        self._from = np.zeros(services)
        self._until = np.full(services, float(steps))

    def score(self) -> Floats:
        """See Keeper."""
        age = self._age + 1
        return ((age >= self._from) & (age <= self._until)).astype(np.float64)

    def observe(self, called: Flags) -> None:
        """See Keeper."""
        gap = self._age + 1
        again = np.flatnonzero(called & (gap < _NEVER))
        fits = again[gap[again] <= self._steps]
        self._gaps[fits, gap[fits].astype(np.intp)] += 1
        self._longer[again] += gap[again] > self._steps
        self._decide(again)
        self._age = np.where(called, 0, self._age + 1)

    def _decide(self, rows: Rows) -> None:
        gaps = self._gaps[rows]
        total = gaps.sum(axis=1)
        below = np.cumsum(gaps, axis=1)
        head = (below < 0.05 * total[:, None]).sum(axis=1)
        tail = (below < 0.99 * total[:, None]).sum(axis=1)
        bins = gaps[:, 1:]
        variation = bins.std(axis=1) / np.maximum(bins.mean(axis=1), 1e-9)
        stands_out = (
            (variation >= _REPRESENTATIVE) & (total >= _FEW_GAPS) & (total >= self._longer[rows])
        )
        self._from[rows] = np.where(stands_out, np.floor(0.9 * head), 0)
        self._until[rows] = np.where(stands_out, np.ceil(1.1 * tail), self._steps)


class OurKeepAlive:
    """Ours; the score is what its threshold is compared with."""

    def __init__(self, names: tuple[str, ...], step_s: float) -> None:
        self._names = names
        self._keep = KeepAlive(step_s, KeepAliveChoice(threshold=1.0))

    def score(self) -> Floats:
        """See Keeper."""
        warmth = self._keep.warm(self._names)
        odds = warmth.chance / (1 - warmth.chance)
        return np.asarray(odds * (1 - warmth.asked) / warmth.asked)

    def observe(self, called: Flags) -> None:
        """See Keeper."""
        self._keep.observe(self._names, called.astype(np.float64))
