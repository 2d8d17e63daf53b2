"""Fixed keep-alive, and the maximum of the last while.

Must not know: the simulator.
"""

from __future__ import annotations

import numpy as np

from predictor.replay.simulator import Ints, View
from predictor.series.window import Floats


class KeepAlive:
    """As FaaS platforms do: a request that finds no free slot starts a container; one that has been
    idle for keep_s goes (the one that was used last is used first)."""

    on_demand = True

    def __init__(self, keep_s: float, concurrency: int = 1, step_s: float = 1.0) -> None:
        self.name = f"keep-alive {keep_s:g} s"
        self._steps, self._concurrency = max(1, round(keep_s / step_s)), concurrency

    def desired(self, view: View) -> Ints:
        """As many as were busy at once within keep_s, and those that are being started."""
        used = _ceil(view.peak[:, -self._steps :].max(axis=1, initial=0.0) / self._concurrency)
        return np.minimum(used, view.total)


class RecentMaximum:
    """The maximum of the last window_s seconds' load."""

    on_demand = False

    def __init__(self, window_s: float, concurrency: int = 1, step_s: float = 1.0) -> None:
        self.name = f"maximum of {window_s:g} s"
        self._steps, self._concurrency = max(1, round(window_s / step_s)), concurrency

    def desired(self, view: View) -> Ints:
        """Of what is known; nothing known is no load."""
        load = np.fmax(view.mean, view.last)[:, -self._steps :]
        return _ceil(np.nan_to_num(load).max(axis=1, initial=0.0) / self._concurrency)


def _ceil(values: Floats) -> Ints:
    return np.ceil(values - 1e-9).astype(np.int64)
