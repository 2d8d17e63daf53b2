"""How long switches take to acknowledge a change, by the controller's own histogram.

Must not know: who asks.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.series.scrape import PROGRAMMING, Page

_STAGE: Final = "switch"
_QUANTILE: Final = 0.9


def programming_s(page: Page) -> float:
    """Seconds within which 90 % of changes were acknowledged; 0 where nothing was programmed yet.

    The bound of a bucket, so rather more than less; the highest finite one at most.
    """
    family = page.family(PROGRAMMING)
    bounds: list[float] = []
    counts: list[float] = []
    for (stage, bound), count in zip(family.series, family.values.tolist(), strict=True):
        if stage == _STAGE:
            bounds.append(float(bound))
            counts.append(count)
    order = [int(place) for place in np.argsort(bounds)]
    if not bounds or counts[order[-1]] <= 0:
        return 0.0
    total = counts[order[-1]]
    finite = [place for place in order if np.isfinite(bounds[place])]
    for place in finite:
        if counts[place] >= _QUANTILE * total:
            return bounds[place]
    return bounds[finite[-1]] if finite else 0.0
