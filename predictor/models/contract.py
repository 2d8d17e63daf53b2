"""What every model is: a window of samples in, quantiles of the load of coming steps out.

A model is a stateless function of the window: it cannot know the future, and two calls agree. What
is learned from many windows is an immutable part of the model (`global_model.py`); what is learned
from step to step is the forecaster's (`forecaster.py`).

Must not know: services, containers, rates, clocks, where samples come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats, Window

HORIZONS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
QUANTILES: Final = (0.1, 0.5, 0.9, 0.95, 0.99)

Places: TypeAlias = NDArray[np.intp]
"""Which rows of before; -1 = none."""


class Model(Protocol):
    """`name` is what people see where a forecast says which model made it; unique."""

    @property
    def name(self) -> str:
        """Lower-case words."""
        ...

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """values[i, h, q]: quantile q of series i, horizons[h] steps after the window's last.

        Horizons are 1 and more, quantiles between 0 and 1 and rising. The answer is finite, not
        negative, and does not fall with q, whatever the window holds (NaN, infinities, nothing).
        """
        ...


def check_request(horizons: Sequence[int], quantiles: Sequence[float]) -> None:
    """ValueError where horizons or quantiles are not as `Model.forecast` wants them."""
    if not horizons or min(horizons) < 1:
        raise ValueError(f"horizons {list(horizons)}: at least one, each 1 or more")
    rising = all(a < b for a, b in pairwise(quantiles))
    if not quantiles or not rising or quantiles[0] <= 0 or quantiles[-1] >= 1:
        raise ValueError(f"quantiles {list(quantiles)}: between 0 and 1, rising")


def monotone(values: Floats) -> Floats:
    """The same, nowhere negative and nowhere falling with the quantile (the last axis)."""
    raised: Floats = np.maximum.accumulate(np.maximum(values, 0.0), axis=-1)
    return raised
