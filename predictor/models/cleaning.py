"""Samples as models want them: finite, not negative, without gaps where a gap can be bridged.

Must not know: models.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.series.window import Floats

LARGEST: Final = 1e15  # a sample above it is no load: not known


def known(values: Floats) -> Floats:
    """NaN where a sample is NaN, infinite, negative or larger than any load."""
    if not values.size or (values.min() >= 0 and values.max() <= LARGEST):  # never so with NaN
        return values
    with np.errstate(invalid="ignore"):
        sound = (values >= 0) & (values <= LARGEST)
    return np.where(sound, values, np.nan)


def filled(values: Floats) -> Floats:
    """`known`, and in gaps the last value before them. NaN stays before the first known one."""
    sound = known(values)
    missing = np.isnan(sound)
    rows = np.flatnonzero(missing.any(axis=1))
    if not rows.size:
        return sound
    places = np.where(missing[rows], 0, np.arange(sound.shape[1]))
    np.maximum.accumulate(places, axis=1, out=places)
    answer = sound.copy()
    answer[rows] = np.take_along_axis(sound[rows], places, axis=1)
    return answer
