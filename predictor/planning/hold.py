"""The most of the last while, each series with a while of its own.

Must not know: what is held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

Ints = NDArray[np.int64]

PARTS = 10  # a while is divided into; a value is held for up to a part longer


class Hold:
    """Keeps the maximum of each part of the while of each series."""

    def __init__(self, n: int) -> None:
        self._most: Ints = np.zeros((n, PARTS + 1), dtype=np.int64)
        self._part: Ints = np.zeros((n, PARTS + 1), dtype=np.int64)

    def taken(self, source: NDArray[np.int64]) -> Hold:
        """Of the series at source, -1 = a new one."""
        made = Hold(source.size)
        old = source >= 0
        made._most[old] = self._most[source[old]]
        made._part[old] = self._part[source[old]]
        return made

    def step(self, values: Ints, hold_s: Floats, now_ms: int) -> Ints:
        """The most of the values of the last hold_s seconds, and of these now. A clock that goes
        back forgets what is then in the future."""
        part_ms = np.maximum(hold_s * 1000 / PARTS, 1.0)
        part = np.floor(now_ms / part_ms).astype(np.int64)
        rows, slot = np.arange(values.size), part % (PARTS + 1)
        same = self._part[rows, slot] == part
        kept = np.where(same, self._most[rows, slot], 0)
        self._most[rows, slot] = np.maximum(kept, values)
        self._part[rows, slot] = part
        age = part[:, np.newaxis] - self._part
        fresh = (age >= 0) & (age <= PARTS)
        held = np.where(fresh, self._most, 0).max(axis=1, initial=0)
        return np.where(hold_s > 0, np.maximum(held, values), values)
