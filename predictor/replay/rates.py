"""Back-test of provisioned rates: how often the load is above them, and how much of them lies idle.

In each step a policy says, from the past alone, which rate each pair has in the next step. A
violation is a step of a pair with more load than that; worst: its share at the worst pair; idle:
what was provisioned above the load, over the load, in bits.

Must not know: files, NIB rows, links, how our policy decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nib.prewarm import Provisioning
from nib.qos import MIN_RATE_BPS
from predictor.planning.bandwidth import Bandwidth, BandwidthChoice
from predictor.planning.table import Rows
from predictor.replay.resampling import interval
from predictor.replay.statistics import Interval
from predictor.series.window import Floats, Window

BLOCK_S: Final = 6 * 3600
OURS: Final = "quantile"


@dataclass(frozen=True, slots=True)
class RateSetting:
    """One point of ours: a quantile (per mille), added headroom, how misses are shared out."""

    quantile_permille: int = 990
    headroom_percent: int = 0
    spread: float = 2.0
    dead_band: float = 0.0
    hold_steps: int = 0
    trees: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        text = f"{OURS} .{self.quantile_permille}"
        text += "" if self.spread > 1 else ", even"
        text += f", headroom {self.headroom_percent} %" if self.headroom_percent else ""
        text += f", dead band {self.dead_band:.0%}" if self.dead_band else ""
        return text + (", trees" if self.trees else "")


SETTINGS: Final = (
    RateSetting(970),
    RateSetting(980),
    RateSetting(990),
    RateSetting(995),
    RateSetting(990, spread=1.0),
    RateSetting(990, trees=True),
    RateSetting(990, headroom_percent=10, dead_band=0.1, hold_steps=2),
)


@dataclass(frozen=True, slots=True)
class RatePoint:
    """How one policy did; see the module."""

    policy: str
    ours: bool
    violations: Interval
    worst: Interval
    idle: Interval


@dataclass(frozen=True, slots=True)
class RatesResult:
    """pairs; steps that were scored; step_s: seconds."""

    pairs: int
    scored_steps: int
    step_s: float
    points: tuple[RatePoint, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return asdict(self)


def run(
    window: Window,
    *,
    history: float = 0.5,
    settings: Sequence[RateSetting] = SETTINGS,
    seed: int = 0,
) -> RatesResult:
    """All policies on bits a second; steps that are unknown are not scored.

    history: the share of the steps that is learned from and not scored. ValueError where nothing is
    left to score.
    """
    first = int(window.steps * history)
    load = window.values[:, first:]
    if first < 1 or not np.nansum(load) > 0:
        raise ValueError("there is no load in the steps that are to be scored, or no step before")
    hour = max(1, round(3600 / window.step_s))
    rates: dict[str, Floats] = {
        "last x 1.5": _latest(window.values, 1)[:, first:] * 1.5,
        "max of 60 min x 1.2": _latest(window.values, hour)[:, first:] * 1.2,
    }
    simple = frozenset(rates)
    for setting in settings:
        rates[setting.name] = provisioned(window, setting)[:, first:]
    blocks = max(1, round(BLOCK_S / window.step_s))
    points = _points(rates, simple, load, blocks, seed)
    return RatesResult(len(window.names), window.steps - first, window.step_s, points)


def provisioned(window: Window, setting: RateSetting) -> Floats:
    """Ours for each step of the window, [pairs, steps], from the steps before it; first one NaN."""
    choice = BandwidthChoice(
        spread=setting.spread,
        dead_band=setting.dead_band,
        hold_steps=setting.hold_steps,
        trees=setting.trees,
    )
    ours = Bandwidth(window.step_s, choice)
    limits: Mapping[str, Provisioning] = {
        name: Provisioning(
            name,
            headroom_percent=setting.headroom_percent,
            quantile_permille=setting.quantile_permille,
            floor_bps=MIN_RATE_BPS,
        )
        for name in window.names
    }
    rates = np.full(window.values.shape, np.nan)
    for step in range(1, window.steps):
        rates[:, step] = ours.plan(window.before(window.steps - step).last(1), limits).bps
    return rates


def _latest(values: Floats, steps: int) -> Floats:
    """The maximum of so many steps before each."""
    padded = np.concatenate([np.repeat(values[:, :1], steps, axis=1), values[:, :-1]], axis=1)
    recent = sliding_window_view(np.nan_to_num(padded), steps, axis=1)
    return np.asarray(recent.max(axis=-1))


def _points(
    rates: Mapping[str, Floats], simple: frozenset[str], load: Floats, block: int, seed: int
) -> tuple[RatePoint, ...]:
    """Intervals by resampling blocks of time, of all pairs together."""
    random = np.random.default_rng(seed)
    starts = np.arange(0, load.shape[1], block)
    known = np.isfinite(load)
    points = []
    for name, rate in rates.items():
        over = _summed(known & (load > rate), starts)
        idle = _summed(np.where(known, np.maximum(rate - load, 0), 0), starts).sum(axis=0)
        told, bits = _summed(known, starts), _summed(np.where(known, load, 0), starts).sum(axis=0)
        figures = (
            partial(_violations, over, told),
            partial(_worst, over, told),
            partial(_idle, idle, bits),
        )
        intervals = (interval(each, len(starts), random) for each in figures)
        points.append(RatePoint(name, name not in simple, *intervals))
    return tuple(points)


def _summed(values: Any, starts: Any) -> Floats:
    """Of each block of time, [pairs, blocks]."""
    return np.asarray(np.add.reduceat(values.astype(np.float64), starts, axis=1))


def _violations(over: Floats, told: Floats, blocks: Rows) -> float:
    return float(over[:, blocks].sum() / max(1.0, told[:, blocks].sum()))


def _worst(over: Floats, told: Floats, blocks: Rows) -> float:
    ratio = over[:, blocks].sum(axis=1) / np.maximum(told[:, blocks].sum(axis=1), 1)
    return float(ratio.max())


def _idle(idle: Floats, bits: Floats, blocks: Rows) -> float:
    return float(idle[blocks].sum() / max(1.0, bits[blocks].sum()))
