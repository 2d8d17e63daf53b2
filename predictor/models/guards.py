"""What keeps a forecast from blowing up: no quantile above a multiple of what was ever seen.

Must not know: models.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.models.cleaning import LARGEST, known
from predictor.series.window import Floats, Window

FACTOR: Final = 2.0


def bounded(values: Floats, window: Window, factor: float = FACTOR) -> Floats:
    """values[n, h, q], at most `factor` times the largest known sample of the window; finite.

    0 where no sample of the window is known.
    """
    ceiling = factor * np.nan_to_num(largest(window))
    sound = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=0.0)
    return np.minimum(np.maximum(sound, 0.0), ceiling[:, None, None])


def largest(window: Window) -> Floats:
    """The largest known sample of each series [n]; NaN where there is none."""
    if not window.steps:
        return np.full(len(window.names), np.nan)
    found: Floats = np.fmax.reduce(window.values, axis=1)
    for row in np.flatnonzero(~((found >= 0) & (found <= LARGEST))):
        found[row] = np.fmax.reduce(known(window.values[row]))
    return found
