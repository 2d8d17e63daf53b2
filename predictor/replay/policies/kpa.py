"""Knative's KPA, as in its source (serving: pkg/autoscaler/scaling): every 2 s, stable window 60 s,
panic window 6 s, panic from twice the ready containers on, target 70 %, at most half the containers
given back a tick and none in panic, the last one kept for a grace of 30 s.

Must not know: the simulator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from predictor.replay.simulator import Ints, View
from predictor.series.window import Floats

TICK_S = 2.0
STABLE_S = 60.0
PANIC_SHARE = 0.1
PANIC_THRESHOLD = 2.0
MAX_UP = 1000.0
MAX_DOWN = 2.0
GRACE_S = 30.0


class Kpa:
    """State: when the last panic was, the most wanted in it, when a service became idle."""

    on_demand = False

    def __init__(
        self, concurrency: int = 1, target: float = 0.7, stable_s: float = STABLE_S,
        step_s: float = 1.0, name: str = "kpa",
    ) -> None:  # fmt: skip
        self.name = name
        self._target = concurrency * target
        self._stable = max(1, round(stable_s / step_s))
        self._panic = max(1, round(stable_s * PANIC_SHARE / step_s))
        self._stable_s = stable_s
        self._next_s = 0.0
        self._state: _State | None = None

    def desired(self, view: View) -> Ints:
        """Asked more often than a tick, it says the same again."""
        if self._state is None:
            self._state = _State(view.total.size)
        if view.now_s + 1e-9 >= self._next_s:
            self._next_s = view.now_s + TICK_S
            self._tick(view, self._state)
        woken = (self._state.desired == 0) & (view.total > 0)
        return np.where(woken & ~self._state.idle(view.now_s), view.total, self._state.desired)

    def _tick(self, view: View, state: _State) -> None:
        ready = np.maximum(1.0, view.ready)
        stable = _average(view.mean, self._stable)
        up, down = np.ceil(MAX_UP * ready), np.floor(view.ready / MAX_DOWN)
        panic = np.ceil(_average(view.mean, self._panic) / self._target)
        over = panic / ready >= PANIC_THRESHOLD
        state.panicked_s[over] = view.now_s
        calm = ~over & (state.panicked_s + self._stable_s < view.now_s)
        state.most[calm] = 0
        wanted = np.clip(np.ceil(stable / self._target), down, up).astype(np.int64)
        panicking = ~calm
        surge = np.maximum(wanted, np.clip(panic, down, up).astype(np.int64))
        state.most[panicking] = np.maximum(state.most, surge)[panicking]
        wanted = np.where(panicking, state.most, wanted)
        state.idle_s = np.where(wanted > 0, np.inf, np.minimum(state.idle_s, view.now_s))
        last = (wanted == 0) & ~state.idle(view.now_s)
        state.desired = np.where(last, np.minimum(np.maximum(view.total, 0), 1), wanted)


class _State:
    def __init__(self, n: int) -> None:
        self.panicked_s: Floats = np.full(n, -np.inf)
        self.most: Ints = np.zeros(n, dtype=np.int64)
        self.idle_s: Floats = np.full(n, np.inf)
        self.desired: Ints = np.zeros(n, dtype=np.int64)

    def idle(self, now_s: float) -> NDArray[np.bool_]:
        """Idle for the grace of scaling to zero."""
        return np.asarray(self.idle_s + GRACE_S <= now_s)


def _average(values: Floats, steps: int) -> Floats:
    """Over the known ones of the last so many steps; 0 where none is known."""
    recent = values[:, -steps:]
    known = ~np.isnan(recent)
    count = known.sum(axis=1)
    total = np.where(known, recent, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(count, 1), dtype=np.float64)
