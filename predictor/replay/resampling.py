"""Intervals of figures that are not plain ratios, by drawing blocks with replacement.

Must not know: what a block is, what the figure means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from predictor.planning.table import Rows
from predictor.replay.statistics import Interval

DRAWS: Final = 200
_OUTSIDE: Final = 0.05


def interval(figure: Callable[[Rows], float], blocks: int, random: np.random.Generator) -> Interval:
    """The figure of all blocks, and where 95 % of its draws are. figure: from numbers of blocks,
    which may repeat. ValueError where there are no blocks."""
    if blocks < 1:
        raise ValueError("there are no blocks to draw from")
    drawn = [figure(random.integers(0, blocks, blocks)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, (_OUTSIDE / 2, 1 - _OUTSIDE / 2))
    return Interval(figure(np.arange(blocks)), float(low), float(high))
