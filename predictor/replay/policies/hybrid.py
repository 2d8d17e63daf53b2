"""The hybrid histogram of Serverless in the Wild (Shahrad et al., USENIX ATC 2020): idle times of a
service in minutes, up to four hours; after a use it is let go until the 5th percentile of them, and
then kept warm until the 99th, each with a margin of a tenth. Where the histogram says little, a
fixed keep-alive.

Its containers are as many as were used at once in the last busy spell. Its third part, a model of
idle times beyond four hours, is left out: replays are shorter.

Must not know: the simulator.
"""

from __future__ import annotations

import numpy as np

from predictor.replay.simulator import Ints, View
from predictor.series.window import Floats

MINUTE_S = 60.0
LONGEST = 240  # minutes of the histogram
HEAD, TAIL, MARGIN = 0.05, 0.99, 0.1
LEAST_GAPS = 3
SPREAD_OUT = 2.0  # coefficient of variation of the bins; below it the histogram says little


class HybridHistogram:
    """State of each service: its histogram, when it was last in use, how much of it."""

    on_demand = True

    def __init__(self, keep_s: float = 1200.0, concurrency: int = 1, step_s: float = 1.0) -> None:
        self.name = f"hybrid histogram, else {keep_s:g} s"
        self._keep_s, self._concurrency, self._step_s = keep_s, concurrency, step_s
        self._gaps: Floats = np.zeros((0, LONGEST))
        self._used_s: Floats = np.zeros(0)
        self._height: Floats = np.zeros(0)

    def desired(self, view: View) -> Ints:
        """What is in use stays; what is idle by its histogram."""
        if self._used_s.size == 0:
            n = view.total.size
            self._gaps, self._height = np.zeros((n, LONGEST)), np.zeros(n)
            self._used_s = np.full(n, -np.inf)
        used = view.peak[:, -1] if view.peak.shape[1] else np.zeros(view.total.size)
        self._observe(used, view.now_s)
        idle_s = view.now_s - self._used_s
        warm = self._is_warm(idle_s) & np.isfinite(idle_s)
        busy = np.ceil(used / self._concurrency)
        kept = np.where(warm, np.ceil(self._height / self._concurrency), busy)
        return np.maximum(kept, busy).astype(np.int64)

    def _observe(self, used: Floats, now_s: float) -> None:
        idle_s = now_s - self._used_s
        back = (used > 0) & np.isfinite(idle_s) & (idle_s > 1.5 * self._step_s)
        minutes = np.minimum(idle_s[back] // MINUTE_S, LONGEST - 1).astype(np.int64)
        self._gaps[np.flatnonzero(back), minutes] += 1
        spell_over = (used > 0) & (idle_s >= MINUTE_S)
        self._height = np.where(spell_over, used, np.maximum(self._height, used))
        self._used_s = np.where(used > 0, now_s, self._used_s)

    def _is_warm(self, idle_s: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        count = self._gaps.sum(axis=1)
        share = np.cumsum(self._gaps, axis=1) / np.maximum(count, 1)[:, np.newaxis]
        head_s = np.argmax(share >= HEAD, axis=1) * MINUTE_S * (1 - MARGIN)
        tail_s = (np.argmax(share >= TAIL, axis=1) + 1) * MINUTE_S * (1 + MARGIN)
        mean = self._gaps.mean(axis=1)
        variation = self._gaps.std(axis=1) / np.maximum(mean, 1e-9)
        telling = (count >= LEAST_GAPS) & (variation >= SPREAD_OUT)
        fixed = idle_s < self._keep_s
        return np.where(telling, (idle_s >= head_s) & (idle_s < tail_s), fixed)
