"""Adaptive conformal inference: what is added to each quantile so that it is exceeded as often as
it says, per series and horizon.

After each step a quantile rises by (its level) x rate x scale if the load was above it, and falls
by (1 - its level) x rate x scale if not: Gibbs and Candes, 2021; quantile tracking of Angelopoulos
and others, 2023. scale is the recent mean error of the median, so units do not matter.

Must not know: models, time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from predictor.models.contract import Places
from predictor.series.window import Floats

RATE: Final = 0.05
MEMORY: Final = 0.97
_ROUNDING: Final = 1e-6  # of a forecast kept in single precision
_CALIBRATED: Final = 0.5  # quantiles above it; the median is the models' own


@dataclass(slots=True, eq=False)
class Calibration:
    """offset[i, h, q] in the load's unit; scale[i], NaN until the first error."""

    quantiles: tuple[float, ...]
    offset: Floats
    scale: Floats

    @classmethod
    def fresh(cls, count: int, horizons: int, quantiles: Sequence[float]) -> Calibration:
        """Nothing added yet, for so many series."""
        shape = (count, horizons, len(quantiles))
        return cls(tuple(quantiles), np.zeros(shape), np.full(count, np.nan))

    def align(self, places: Places) -> None:
        """Row i becomes what row places[i] was; -1 = a new series."""
        new = places < 0
        pad = np.zeros_like(self.offset, shape=(1, *self.offset.shape[1:]))
        self.offset = np.concatenate([self.offset, pad])[places]
        self.scale = np.append(self.scale, np.nan)[places]
        self.offset[new], self.scale[new] = 0.0, np.nan

    def apply(self, values: Floats) -> Floats:
        """values[i, h, q] with what is to be added."""
        return values + self.offset

    def update(self, place: int, told: Floats, actual: Floats) -> None:
        """told[i, q] was forecast of actual[i], which may be NaN, at horizon number `place`."""
        levels = np.asarray(self.quantiles)
        known = np.isfinite(actual) & np.isfinite(told).all(axis=1)
        above = actual[:, None] > told * (1 + _ROUNDING)
        move = np.where(above, levels, levels - 1) * RATE * np.nan_to_num(self.scale)[:, None]
        # A quantile at zero cannot fall: its offset would only wind up.
        stuck = ~above & (told <= 0)
        move[stuck | ~known[:, None]] = 0.0
        move[:, levels <= _CALIBRATED] = 0.0
        self.offset[:, place] += move

    def measure(self, told: Floats, actual: Floats) -> None:
        """The scale learns from medians told[i] at the first horizon."""
        error = np.abs(actual - told)
        known = np.isfinite(error)
        mixed = MEMORY * self.scale + (1 - MEMORY) * error
        fresh = np.where(np.isfinite(self.scale), mixed, error)
        self.scale = np.where(known, fresh, self.scale)
