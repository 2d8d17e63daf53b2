"""Intervals for what a replay found, by block bootstrap.

Must not know: policies, services' names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predictor.series.window import Floats


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio and where it lies with the given confidence."""

    value: float
    low: float
    high: float


def blocks(values: Floats, block: int) -> Floats:
    """[service, step] -> sums of the blocks of so many steps, of all services; the last block may
    be shorter."""
    steps = values.shape[1]
    if steps == 0:
        return np.zeros(0)
    return np.add.reduceat(values, np.arange(0, steps, max(1, block)), axis=1).ravel()


def ratio_interval(
    above: Floats,
    below: Floats,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.9,
) -> Interval:
    """sum(above) / sum(below) over blocks, and its percentile interval when blocks are drawn with
    replacement (what happens within a block stays together). 0 where nothing is below."""
    total = float(below.sum())
    if total <= 0:
        return Interval(0.0, 0.0, 0.0)
    picked = rng.integers(0, above.size, (draws, above.size))
    drawn = below[picked].sum(axis=1)
    ratios = above[picked].sum(axis=1)[drawn > 0] / drawn[drawn > 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return Interval(float(above.sum()) / total, float(low), float(high))
