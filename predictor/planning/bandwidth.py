"""From each policy's bit rate to the rate it is to be provisioned with.

A quantile of the maximum over the lead, forecast in logs, calibrated on its own misses (adaptive
conformal inference, Gibbs and Candès 2021), bounded by what was seen lately, with the headroom,
floor and ceiling that its Provisioning asks for; raised at once, lowered with hysteresis.

Must not know: links, meters, what the network can carry, the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from nib.prewarm import Provisioning
from nib.qos import MAX_RATE_BPS, MIN_RATE_BPS
from predictor.planning.levels import FEATURES, RECENT, Levels
from predictor.planning.table import Flags, Rows, Table
from predictor.planning.tail_model import TailModel
from predictor.series.window import Floats, Window

_TAIL: Final = 0.9
_FAMILIAR: Final = 100


@dataclass(frozen=True, slots=True)
class BandwidthChoice:
    """quantile: what the model is trained for; a policy's own is reached by calibration.

    spread: misses may be shared out among policies, so that those whose reserve is largest miss up
    to spread times as often as asked, and others less (1 = all alike). gain: how fast a policy's
    quantile is corrected. most: no plan above so many times the recent maximum, but for headroom.
    dead_band, hold_steps: a plan is lowered once it is by this share too high, for so many steps.
    trees: with LightGBM, fitted anew every trees_every steps (0 = where `grow_trees` is called).
    """

    quantile: float = 0.99
    spread: float = 2.0
    gain: float = 0.16
    most: float = 1.25
    dead_band: float = 0.1
    hold_steps: int = 2
    trees: bool = False
    trees_every: int = 252

    def __post_init__(self) -> None:
        if not 0.5 <= self.quantile < 1 or not self.spread >= 1 or not self.most >= 1:
            raise ValueError("quantile from 0.5 to 1; spread and most from 1")
        if not self.gain >= 0 or not 0 <= self.dead_band < 1:
            raise ValueError("gain from 0; dead_band from 0 to 1")
        if self.hold_steps < 0 or self.trees_every < 0:
            raise ValueError("hold_steps and trees_every from 0")


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """bps[i]: what names[i] is to have. stale[i]: its load is not known now; the plan is the last.

    limited[i]: the floor or ceiling decided. load, forecast: bits a second; NaN = none.
    """

    names: tuple[str, ...]
    bps: Floats
    load: Floats
    forecast: Floats
    stale: Flags
    limited: Flags
    lead_s: float

    def reason(self, i: int) -> str:
        """Why names[i] is to have its rate."""
        if self.stale[i]:
            return "its load is not known now: as before"
        if not np.isfinite(self.forecast[i]):
            return "its load was never known: its floor"
        now, soon = self.load[i] / 1e6, self.forecast[i] / 1e6
        text = f"{now:.3g} Mb/s now, up to {soon:.3g} Mb/s within {self.lead_s:g} s"
        return text + (", limited by its floor or ceiling" if self.limited[i] else "")


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A forecast that waits for what comes of it; clock: the step after which it was made."""

    clock: int
    names: tuple[str, ...]
    features: Floats
    base: Floats
    bound: Floats
    miss: Floats
    sure: Flags


class Bandwidth:
    """Learns from each step of the window; plans for the steps that follow."""

    def __init__(
        self, step_s: float = 60.0, choice: BandwidthChoice | None = None, lead_steps: int = 1
    ) -> None:
        """ValueError where step_s or lead_steps makes no sense."""
        if not step_s > 0 or not 1 <= lead_steps <= RECENT:
            raise ValueError(f"step_s {step_s} above 0, lead_steps {lead_steps} from 1 to {RECENT}")
        self.step_s = step_s
        self.choice = choice or BandwidthChoice()
        self._levels = Levels(step_s, lead_steps)
        more: dict[str, tuple[tuple[int, ...], float]] = {
            "offset": ((), 0.0),
            "width": ((), 0.0),
            "plan": ((), 0.0),
            "low": ((), 0.0),
            "load": ((), np.nan),
            "forecast": ((), np.nan),
        }
        self._table = Table(self._levels.columns() | more)
        self._model = TailModel(FEATURES, 1 - self.choice.quantile, self.choice.trees)
        self._waiting: deque[_Made] = deque()
        self._end_ms: int | None = None

    def plan(self, window: Window, limits: Mapping[str, Provisioning]) -> Rates:
        """What each series of the window is to have; those without limits have the defaults.

        window: bits a second at this object's steps; of the first one all steps are learned from
        (a day or two are plenty), later ones may overlap it. Names that are gone are forgotten.
        ValueError where the steps are others.
        """
        if window.step_s != self.step_s:
            raise ValueError(f"steps of {window.step_s} s, not of {self.step_s} s")
        self._table.keep(window.names)
        rows = self._table.rows(window.names)
        wanted = [limits.get(name) or Provisioning(name) for name in window.names]
        miss = 1 - np.array([each.quantile_permille for each in wanted], dtype=np.float64) / 1000
        new = self._new_steps(window)
        bits = window.values[:, window.steps - new :].astype(np.float64)
        bits = np.where(np.isfinite(bits) & (bits >= 0), np.minimum(bits, MAX_RATE_BPS), np.nan)
        for step in range(new):
            self._step(window.names, rows, bits[:, step], miss)
        return self._provision(window.names, rows, wanted, moves=new > 0)

    def grow_trees(self) -> bool:
        """Fit trees on what was learned, where they are wanted, LightGBM is there and enough is
        known; takes seconds, and may run in another thread while plans are made."""
        return self._model.grow_trees()

    def save(self) -> bytes:
        """All that was learned, but for trees."""
        head = {"kind": "bandwidth", "step_s": self.step_s, "lead": self._levels.lead}
        head |= {"clock": self._levels.clock, "end_ms": self._end_ms}
        return self._table.save(self._model.arrays(), head)

    @classmethod
    def load(
        cls,
        data: bytes,
        step_s: float = 60.0,
        choice: BandwidthChoice | None = None,
        lead_steps: int = 1,
    ) -> Bandwidth:
        """As it was saved; ValueError where the bytes are none of ours, or of other steps."""
        rates = cls(step_s, choice, lead_steps)
        kind = {"kind": "bandwidth", "step_s": step_s, "lead": lead_steps}
        more, head = rates._table.load(data, kind)
        rates._model.restore(more)
        rates._levels.clock, rates._end_ms = head["clock"], head["end_ms"]
        return rates

    def _new_steps(self, window: Window) -> int:
        """How many of its last steps were not learned from yet; a clock set back counts as one."""
        before, self._end_ms = self._end_ms, window.end_ms
        if before is None:
            return window.steps
        passed = round((window.end_ms - before) / (self.step_s * 1000))
        return min(window.steps, passed if passed >= 0 else 1)

    def _step(self, names: tuple[str, ...], rows: Rows, bits: Floats, miss: Floats) -> None:
        """One step: learn from the forecasts it ends, and forecast; NaN where nothing is known."""
        self._levels.observe(self._table, rows, bits)
        self._table["load"][rows] = bits
        while self._waiting and self._waiting[0].clock + self._levels.lead <= self._levels.clock:
            self._learn(self._waiting.popleft())
        every = self.choice.trees_every
        if self.choice.trees and every and self._levels.clock % every == 0:
            self.grow_trees()
        known = self._table["count"][rows] > 0
        if known.any():
            self._table["forecast"][rows[known]] = self._forecast(names, rows, known, miss)

    def _forecast(self, names: tuple[str, ...], rows: Rows, known: Flags, miss: Floats) -> Floats:
        table, levels = self._table, self._levels
        rows = rows[known]
        features, base = levels.features(table, rows), levels.base(table, rows)
        location, scale, z = self._model.predict(features)
        width = np.exp(base + location) * scale
        share = np.maximum(0.01, 1 / table["count"][rows])
        table["width"][rows] += share * (width - table["width"][rows])
        miss = shared_misses(miss[known], table["width"][rows], width, self.choice.spread)
        z = z + table["offset"][rows] + _TAIL * np.log((1 - self.choice.quantile) / miss)
        top = levels.recent(table, rows, RECENT).max(axis=1) + np.log(self.choice.most)
        bound: Floats = np.exp(np.minimum(base + location + np.maximum(z, 0) * scale, top))
        sure = table["since_gap"][rows] > 0
        chosen = tuple(name for name, is_known in zip(names, known, strict=True) if is_known)
        self._waiting.append(_Made(levels.clock, chosen, features, base, bound, miss, sure))
        return bound

    def _learn(self, made: _Made) -> None:
        """From what the maximum since a forecast turned out to be."""
        table, lead = self._table, self._levels.lead
        there = table.has(made.names) & made.sure
        rows = np.array(
            [table.row(n) for n, ok in zip(made.names, there, strict=True) if ok], np.intp
        )
        whole = table["since_gap"][rows] > lead
        rows, at = rows[whole], np.flatnonzero(there)[whole]
        top = self._levels.recent(table, rows, lead).max(axis=1)
        self._model.observe(made.features[at], top - made.base[at])
        over = np.exp(top) > made.bound[at] * (1 + 1e-9)
        correct = self.choice.gain * (over - made.miss[at])
        offset = np.clip(table["offset"][rows] + correct, -5, 8)
        table["offset"][rows] = np.where(table["count"][rows] > _FAMILIAR, offset, 0.0)

    def _provision(
        self, names: tuple[str, ...], rows: Rows, wanted: list[Provisioning], *, moves: bool
    ) -> Rates:
        load, forecast = self._table["load"][rows], self._table["forecast"][rows]
        floor = np.array([each.floor_bps for each in wanted], dtype=np.float64)
        ceiling = np.array([each.ceiling_bps or MAX_RATE_BPS for each in wanted], dtype=np.float64)
        headroom = np.array([each.headroom_percent for each in wanted], dtype=np.float64) / 100
        ceiling = np.maximum(ceiling, MIN_RATE_BPS)
        stale = ~np.isfinite(load) & (self._table["plan"][rows] > 0)
        target = np.nan_to_num(forecast, nan=0.0) * (1 + headroom)
        plan = self._eased(rows, target, stale) if moves else self._table["plan"][rows]
        bps = np.clip(plan, np.minimum(floor, ceiling), ceiling)
        self._table["plan"][rows] = plan
        lead_s = self._levels.lead * self.step_s
        return Rates(names, bps, load, forecast, stale, bps != plan, lead_s)

    def _eased(self, rows: Rows, target: Floats, stale: Flags) -> Floats:
        """Raised at once; lowered when it is too high for long enough; as it was where stale."""
        plan, low = self._table["plan"][rows], self._table["low"][rows]
        is_low = target < plan * (1 - self.choice.dead_band)
        low = np.where(stale, low, np.where(is_low, low + 1, 0))
        lower = is_low & (low > self.choice.hold_steps)
        self._table["low"][rows] = np.where(lower, 0, low)
        moved = np.where((target > plan) | lower, target, plan)
        return np.asarray(np.where(stale, plan, moved))


def shared_misses(miss: Floats, usual: Floats, now: Floats, spread: float) -> Floats:
    """How often each may miss, so that they miss as often as asked together.

    In proportion to the width of its load's tail in bits (usual and now: an idle bit costs the same
    everywhere), from a tenth of what is asked to spread times it. miss, usual, now: > 0.
    """
    if spread <= 1 or len(miss) < 2:
        return miss
    weight = usual / usual.mean()
    low, high = 1e-3, 1e3
    for _ in range(20):
        middle = float(np.sqrt(low * high))
        if np.clip(middle * weight, 0.1, spread) @ miss > miss.sum():
            high = middle
        else:
            low = middle
    swollen = weight * np.sqrt(now / usual)
    return np.asarray(miss * np.clip(low * swollen, 0.1, spread))
