"""Back-test of keep-alive for rarely called services: how often a call finds no container, and how
many steps containers idle.

In each step a policy says, from the past alone, which services have a container. A step with calls
and without one is cold; a step with one and without calls is idle, up to the very end. A service's
cold ratio is its cold steps over its steps with calls; waste is idle steps over those of the fixed
keep-alive of 10 minutes. Starting takes no time here. Cold starts after Serverless in the Wild
(Shahrad et al., USENIX ATC 2020).

Must not know: files, NIB rows, how our policy decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from predictor.planning.table import Flags, Rows
from predictor.replay.keepers import FixedKeepAlive, HybridHistogram, Keeper, OurKeepAlive
from predictor.replay.resampling import interval
from predictor.replay.statistics import Interval
from predictor.series.window import Floats, Window

THRESHOLDS: Final = (0.1, 0.18, 0.25, 0.35, 0.6, 1.0, 1.5)
REFERENCE: Final = "fixed 10 min"
OURS: Final = "hazard"


@dataclass(frozen=True, slots=True)
class TailPoint:
    """How one policy did. p75_cold, mean_cold: of the cold ratio over services with calls."""

    policy: str
    threshold: float | None
    p75_cold: Interval
    mean_cold: Interval
    waste: Interval


@dataclass(frozen=True, slots=True)
class LongTailResult:
    """services: with calls in the steps that are scored; step_s: seconds."""

    services: int
    scored_steps: int
    step_s: float
    points: tuple[TailPoint, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Count:
    """Of each service: its cold steps, its idle steps."""

    cold: Floats
    idle: Floats


def run(
    window: Window,
    weights: Floats | None = None,
    *,
    history: float = 0.5,
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
) -> LongTailResult:
    """All policies on counts per step; NaN counts as no call.

    weights: how many services each one stands for; history: the share of the steps that is learned
    from and not scored. ValueError where nothing is left to score.
    """
    called = np.nan_to_num(window.values) > 0
    first = int(window.steps * history)
    active = called[:, first:].sum(axis=1)
    if not active.any():
        raise ValueError("no service has a call in the steps that are to be scored")
    weights = np.ones(len(called)) if weights is None else weights
    minute = 60 / window.step_s
    plain: dict[str, Keeper] = {
        REFERENCE: FixedKeepAlive(len(called), round(10 * minute)),
        "fixed 60 min": FixedKeepAlive(len(called), round(60 * minute)),
        "hybrid histogram 4 h": HybridHistogram(len(called), round(240 * minute)),
    }
    counts: dict[tuple[str, float | None], _Count] = {}
    for name, keeper in plain.items():
        counts[name, None] = _simulate(keeper, called, first, (1.0,))[1.0]
    ours = OurKeepAlive(window.names, window.step_s)
    for threshold, count in _simulate(ours, called, first, thresholds).items():
        counts[f"{OURS} {threshold:g}", threshold] = count
    points = _points(counts, active.astype(np.float64), weights, seed)
    return LongTailResult(int((active > 0).sum()), window.steps - first, window.step_s, points)


def _simulate(
    keeper: Keeper, called: Flags, first: int, thresholds: Sequence[float]
) -> Mapping[float, _Count]:
    """Warm in a step where the keeper's score is at least the threshold."""
    counts = {each: _Count(np.zeros(len(called)), np.zeros(len(called))) for each in thresholds}
    for step in range(called.shape[1]):
        now = called[:, step]
        if step >= first:
            score = keeper.score()
            for threshold, count in counts.items():
                warm = score >= threshold
                count.cold[now & ~warm] += 1
                count.idle[~now & warm] += 1
        keeper.observe(now)
    return counts


def _points(
    counts: Mapping[tuple[str, float | None], _Count], active: Floats, weights: Floats, seed: int
) -> tuple[TailPoint, ...]:
    """Intervals by resampling services, each with the whole of its time as one block."""
    reference = counts[REFERENCE, None]
    has_calls = active > 0
    points = []
    for (name, threshold), count in counts.items():
        ratio = count.cold / np.maximum(active, 1)

        figures = (
            partial(_p75, ratio, weights, has_calls),
            partial(_mean, ratio, weights, has_calls),
            partial(_waste, count.idle * weights, reference.idle * weights),
        )
        random = np.random.default_rng(seed)
        intervals = (interval(each, len(active), random) for each in figures)
        points.append(TailPoint(name, threshold, *intervals))
    return tuple(points)


def _p75(ratio: Floats, weights: Floats, of: Flags, rows: Rows) -> float:
    rows = rows[of[rows]]
    return _quantile(ratio[rows], weights[rows], 0.75) if len(rows) else 0.0


def _mean(ratio: Floats, weights: Floats, of: Flags, rows: Rows) -> float:
    rows = rows[of[rows]]
    return float(np.average(ratio[rows], weights=weights[rows])) if len(rows) else 0.0


def _waste(idle: Floats, reference: Floats, rows: Rows) -> float:
    return float(idle[rows].sum() / max(1.0, reference[rows].sum()))


def _quantile(values: Floats, weights: Floats, quantile: float) -> float:
    """The least value with at least that share of the weight at or below it."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    place = min(int(np.searchsorted(below, quantile * below[-1])), len(order) - 1)
    return float(values[order][place])
