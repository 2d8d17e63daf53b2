"""How forecasts turned out lately, over all series and horizons: for metrics.

Must not know: models, metrics' names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from predictor.series.window import Floats

_ROUNDING: Final = 1e-6  # of a forecast kept in single precision
MEMORY: Final = 0.98  # how much of a step still counts one step later


@dataclass(slots=True, eq=False)
class Outcomes:
    """Fading sums. Every figure is NaN before the first forecast has met its load."""

    quantiles: tuple[float, ...]
    count: float = 0.0
    load: float = 0.0
    error: float = 0.0
    covered: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.covered = np.zeros(len(self.quantiles))

    def fade(self) -> None:
        """A step has passed."""
        self.count *= MEMORY
        self.load *= MEMORY
        self.error *= MEMORY
        self.covered *= MEMORY

    def update(self, told: Floats, actual: Floats) -> None:
        """told[i, q] was the forecast of actual[i], which may be NaN."""
        known = np.isfinite(actual) & np.isfinite(told).all(axis=1)
        told, actual = told[known], actual[known]
        middle = int(np.argmin(np.abs(np.asarray(self.quantiles) - 0.5)))
        self.count += float(known.sum())
        self.load += float(actual.sum())
        self.error += float(np.abs(actual - told[:, middle]).sum())
        self.covered += (actual[:, None] <= told * (1 + _ROUNDING)).sum(axis=0)

    @property
    def wape(self) -> float:
        """The error of the median over the load."""
        return self.error / self.load if self.load > 0 else float("nan")

    @property
    def coverage(self) -> dict[float, float]:
        """Of each quantile: the share of loads that were not above it."""
        with np.errstate(invalid="ignore"):
            shares = self.covered / self.count
        return {level: float(each) for level, each in zip(self.quantiles, shares, strict=True)}
